"""Every page: its links and anchors lead somewhere, and its manifests are what the operator takes."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensearch_ml_operator.cli.__main__ import _parser
from opensearch_ml_operator.constants import API_VERSION, GROUP
from opensearch_ml_operator.crdgen import definition
from opensearch_ml_operator.models.kinds import KINDS, KindInfo, by_kind

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
CODE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
HERE_DOCUMENT = re.compile(r"<<'?EOF'?\n(.*?)^EOF$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\$[A-Z]+\b")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

OF_OPENSEARCH = ("cluster_permissions", "http_authenticator")
"""What tells YAML of the Security plugin from ours."""

Document = dict[str, Any]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    words = [LINK.sub("]", heading) for heading in headings]
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in words}


def broken(page: Path) -> list[str]:
    """Return the links of a page to files or headings that do not exist."""
    found = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        leads = target.exists() and (not anchor or (target.suffix == ".md" and anchor in anchors(target)))
        if "://" not in link and not leads:
            found.append(link)
    return found


def manifests(page: Path) -> list[Document]:
    """Return the documents of our kinds that a page shows, in YAML blocks and in what shells are given."""
    blocks = CODE.findall(page.read_text())
    texts = [text for language, text in blocks if language == "yaml"]
    for _, text in blocks:
        texts += [VARIABLE.sub("https://opensearch.example", each) for each in HERE_DOCUMENT.findall(text)]
    documents = chain.from_iterable(map(yaml.safe_load_all, texts))
    return [each for each in documents if str(each.get("apiVersion", "")).startswith(f"{GROUP}/")]


OURS = [
    pytest.param(each, id=f"{page.stem}-{each['kind']}-{each['metadata']['name']}")
    for page in PAGES
    for each in manifests(page)
]

FRAGMENTS = [
    pytest.param(document.get("spec", document), id=f"{page.stem}-{'-'.join(document)}")
    for page in PAGES
    for language, text in CODE.findall(page.read_text())
    if language == "yaml"
    for document in yaml.safe_load_all(text)
    if "kind" not in document and not any(word in text for word in OF_OPENSEARCH)
]
"""A field of a spec, shown without the object around it."""
COMMAND_LINES = [
    pytest.param(page.stem, line, id=f"{page.stem}: {line}")
    for page in PAGES
    for _, text in CODE.findall(page.read_text())
    for line in re.findall(r"^ *(?:\$ )?(opensearch-ml .*)$", text.replace("\\\n", " "), re.MULTILINE)
]
"""Each line in which a page calls our command."""


def spec_schema(info: KindInfo) -> Document:
    """Return what the CRD says of the spec."""
    schema = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: Document = schema["properties"]["spec"]
    return found


def unknown(document: object, schema: Document, path: str) -> list[str]:
    """Return the fields of a document that the API server would drop."""
    match document, schema:
        case dict(), {"properties": properties}:
            lost = [f"{path}.{key}" for key in document.keys() - properties.keys()]
            inner = [
                (f"{path}.{key}", document[key], properties[key]) for key in document.keys() & properties
            ]
            return lost + [found for at, value, part in inner for found in unknown(value, part, at)]
        case list(), {"items": items}:
            return [found for value in document for found in unknown(value, items, f"{path}[]")]
        case _:
            return []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_there_is_something_to_look_at() -> None:
    assert len(PAGES) > 15
    assert sum(len(LINK.findall(page.read_text())) for page in PAGES) > 150
    assert len(OURS) > 3
    assert len(COMMAND_LINES) > 20


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One (small) heading\n\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#one-small-heading) [c](#here) [d](no.md) [e](other.md#no-heading)\n\n"
        "# Here\n\n```\n[f](no.md)\n```\n[g](https://example.org/#x)\n"
    )
    assert broken(page) == ["no.md", "other.md#no-heading"]


@pytest.mark.parametrize("document", OURS)
def test_manifests_are_what_the_operator_takes(document: Document) -> None:
    assert document["apiVersion"] == API_VERSION
    info = by_kind(document["kind"])
    info.spec.model_validate(document["spec"])
    assert unknown(document["spec"], spec_schema(info), "spec") == []


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_parts_of_manifests_are_what_the_operator_takes(fragment: Document) -> None:
    specs = [spec_schema(info) for info in KINDS]
    fitting = [schema for schema in specs if fragment.keys() <= schema["properties"].keys()]
    assert any(unknown(fragment, schema, "spec") == [] for schema in fitting)


@pytest.mark.parametrize(("page", "line"), COMMAND_LINES)
def test_command_lines_can_be_read(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    end = next((number for number, word in enumerate(words) if word in {">", "|"}), None)
    assert _parser(words[:end], page).parse_args(words[:end]).command


@each_page
def test_tests_that_it_names_exist(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/.-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@each_page
def test_yaml_blocks_can_be_read(page: Path) -> None:
    for language, text in CODE.findall(page.read_text()):
        if language == "yaml":
            assert list(yaml.safe_load_all(text))
