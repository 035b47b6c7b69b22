"""What docs/reasons.md tells users to ask OpenSearch is understood by it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from stack.opensearch_node import OpenSearch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reasons.md").read_text()
CALLS = sorted(set(re.findall(r"^os (.*)", PAGE, re.MULTILINE)))


@pytest.fixture(scope="module", autouse=True)
def operators_user(opensearch_219: OpenSearch) -> None:
    role = json.loads((ROOT / "deploy" / "opensearch-role" / "role.json").read_text())
    opensearch_219.create_user("ml-operator", "Quiet-harbour-7-lanterns", "ml-operator", role)


@pytest.mark.parametrize("call", CALLS)
def test_opensearch_understands_the_call(opensearch_219: OpenSearch, call: str) -> None:
    path, *options = shlex.split(call)
    body = options[options.index("-d") + 1] if "-d" in options else None
    with opensearch_219.client() as client:
        answer = client.request(
            "GET" if body is None else "POST",
            path,
            content=body,
            headers={"Content-Type": "application/json"} if body is not None else None,
        )
    if answer.status_code == 404 and path.endswith("/pipeline"):  # there is none
        assert answer.text == "{}"
    elif answer.status_code == 404:  # the page's ID stands for an id; a cluster may have none of its kind yet
        assert re.search("Fail(ed)? to find|no such index .*-(agent|model)", answer.text)
    else:
        assert answer.status_code == 200
        # A filter that meets nothing answers an empty object.
        assert answer.text != "{}" or "/profile/" in path
