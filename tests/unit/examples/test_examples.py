"""Every example is a good document, says what is true, and is in the table of docs/providers.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from opensearch_ml_operator.constants import API_VERSION
from opensearch_ml_operator.crdgen import definition
from opensearch_ml_operator.models.kinds import by_kind
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.connector.endpoint import fix_host, refuse_address
from support.providers.catalog import OPERATIONS
from support.providers.example import OURS, Example, read_examples
from support.providers.trusted import note

ROOT = Path(__file__).parents[3]
EXAMPLES = read_examples()
PAGE = (ROOT / "docs" / "providers.md").read_text()
ROWS = re.findall(
    r"^\| \[([^\]]+)\]\(\.\./examples/providers/([^)]+)\.yaml\) \| `([^`]+)` \| ([^|]+?) \|",
    PAGE,
    re.MULTILINE,
)
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def test_every_example_has_an_operation_and_a_row() -> None:
    names = [example.name for example in EXAMPLES]
    assert len(names) > 20
    assert sorted(OPERATIONS) == names
    assert sorted(row[1] for row in ROWS) == names


@each_example
def test_its_documents_are_what_the_models_take_and_no_field_is_lost(example: Example) -> None:
    assert [each["kind"] for each in example.documents if each["kind"] != "Secret"] == list(OURS)
    for document in example.documents:
        assert document["metadata"] == {"name": example.name}
        if document["kind"] == "Secret":
            assert set(document["stringData"].values()) == {"change-me"}
            continue
        assert document["apiVersion"] == API_VERSION
        info = by_kind(document["kind"])
        body = info.spec.model_validate(document["spec"]).to_body()
        assert without(document["spec"], body) == []
        schema = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert unknown(document["spec"], schema) == []


@each_example
def test_it_refers_to_itself_and_to_the_quickstarts_connection(example: Example) -> None:
    assert example.connector["connectionRef"] == {"name": "opensearch"}
    assert example.spec("RemoteModel")["connectorRef"] == {"name": example.name}
    source = {"secretRef": {"name": example.name}} if example.credentials else None
    assert example.connector.get("credentialsFrom") == source
    assert (ROOT / "examples" / "quickstart" / "10-connection.yaml").read_text().count("name: opensearch\n")


@each_example
def test_its_credentials_and_parameters_are_all_used_and_all_there(example: Example) -> None:
    (action,) = example.connector["actions"]
    text = yaml.safe_dump(action)
    credentials = set(re.findall(r"\$\{credential\.(\w+)\}", text))
    signed = {"access_key", "secret_key"} if example.connector.get("protocol") == "aws_sigv4" else set()
    assert credentials | signed == set(example.credentials)
    given = set(example.connector["parameters"]) - {"service_name"}
    assert given <= set(re.findall(r"\$\{parameters\.(\w+)\}", text))


@each_example
def test_its_host_is_fixed_and_fits_the_pattern_that_it_names(example: Example) -> None:
    (action,) = example.connector["actions"]
    url = fix_host(action["url"], example.connector["parameters"])
    assert not isinstance(url, Fact), url
    assert refuse_address(url, private_allowed=False) is None
    assert re.fullmatch(example.trusted, example.real_url)
    assert not re.fullmatch(example.trusted, example.real_url.replace("://", "://elsewhere.example/"))


@each_example
def test_it_calls_the_path_that_the_provider_documents(example: Example) -> None:
    path = re.sub(r"^https?://[^/]+", "", example.real_url)
    assert (path or "/") == OPERATIONS[example.name].path


@each_example
def test_what_it_says_of_the_trusted_list_is_so_and_the_table_says_the_same(example: Example) -> None:
    assert example.trusted_note == note(example.trusted)
    (row,) = [row for row in ROWS if row[1] == example.name]
    assert row[2:] == (example.trusted, example.trusted_note)


def without(wanted: object, body: object, path: str = "spec") -> list[str]:
    """Return the fields of a document that the models' form of it lacks or has otherwise."""
    if isinstance(wanted, dict) and isinstance(body, dict):
        return [
            each for key, value in wanted.items() for each in without(value, body.get(key), f"{path}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(body, list) and len(wanted) == len(body):
        return [each for pair in zip(wanted, body, strict=True) for each in without(*pair, f"{path}[]")]
    return [] if wanted == body else [path]


def unknown(document: object, schema: dict[str, object], path: str = "spec") -> list[str]:
    """Return the fields of a document that the schema of the CRD would have the API server drop."""
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(document, dict) and isinstance(properties, dict):
        lost = [f"{path}.{key}" for key in document if key not in properties]
        known = [(key, value) for key, value in document.items() if key in properties]
        return lost + [
            each for key, value in known for each in unknown(value, properties[key], f"{path}.{key}")
        ]
    if isinstance(document, list) and isinstance(items, dict):
        return [each for value in document for each in unknown(value, items, f"{path}[]")]
    return []
