"""Every example of a connection is a good document, and the page and the examples know each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from opensearch_ml_operator.models.connection import Auth, OpenSearchConnectionSpec

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "connections.md").read_text()
FILES = sorted((ROOT / "examples" / "connections").glob("*.yaml"))


def spec(file: Path) -> OpenSearchConnectionSpec:
    (connection,) = [
        each for each in yaml.safe_load_all(file.read_text()) if each["kind"] == "OpenSearchConnection"
    ]
    return OpenSearchConnectionSpec.model_validate(connection["spec"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_what_the_model_takes(file: Path) -> None:
    assert spec(file).auth != Auth()


def test_every_login_has_an_example() -> None:
    shown = {name for file in FILES for name in (spec(file).auth or Auth()).model_fields_set}
    assert shown == set(Auth.model_fields)


def test_the_page_links_to_every_example() -> None:
    assert set(re.findall(r"\.\./examples/connections/(\S+\.yaml)", PAGE)) == {file.name for file in FILES}
