from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from opensearch_ml_operator.constants import SCHEMA_HASH_ANNOTATION
from opensearch_ml_operator.crdgen import definition, schema_hash
from opensearch_ml_operator.crdgen.__main__ import main
from opensearch_ml_operator.crdgen.structural import filled
from opensearch_ml_operator.crdgen.text import to_yaml
from opensearch_ml_operator.models.common import Model
from opensearch_ml_operator.models.kinds import KINDS, KindInfo, by_kind
from support.kind_documents import ACCEPTED, RULES, UPDATE_RULES, spec_of

ROOT = Path(__file__).parents[3]
every_kind = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)


def schema_of(info: KindInfo) -> dict[str, Any]:
    schema: dict[str, Any] = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def hash_of(info: KindInfo) -> str:
    value: str = definition(info)["metadata"]["annotations"][SCHEMA_HASH_ANNOTATION]
    return value


def parts(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Walk through a schema and all schemas inside it."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from parts(f"{path}.{name}", child)
    if "items" in schema:
        yield from parts(f"{path}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from parts(f"{path}[*]", schema["additionalProperties"])


ALLOWED = {
    "type", "description", "default", "enum", "format", "pattern", "required", "properties", "items",
    "additionalProperties", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-map-type",
}  # fmt: skip


def faults(path: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Find what makes a schema unstructural or its cost unbounded, independently of the generator."""
    kind = schema.get("type")
    names = schema.get("properties", {})
    bound = {"string": "maxLength", "array": "maxItems", "object": "properties" if names else "maxProperties"}
    limit = bound.get(str(kind), "type")
    keys = schema.get("x-kubernetes-list-map-keys", [])
    item = schema.get("items", {})
    checks = {
        "has unknown keywords": set(schema) <= ALLOWED,
        "has no type": kind in {"object", "array", "string", "integer", "number", "boolean"},
        "has no bound": limit in schema or "enum" in schema,
        "has both properties and additionalProperties": not (names and "additionalProperties" in schema),
        "requires what is not there": set(schema.get("required", [])) <= set(names),
        "has no items": ("items" in schema) == (kind == "array"),
        "is a set of objects": schema.get("x-kubernetes-list-type") != "set" or item.get("type") == "string",
        "is a map without required keys": set(keys) <= set(item.get("required", [])),
    }
    yield from (f"{path} {words}" for words, holds in checks.items() if not holds)


@every_kind
def test_every_schema_is_structural_and_bounded(info: KindInfo) -> None:
    schema = schema_of(info)["properties"]

    found = [
        fault
        for part in ("spec", "status")
        for path, child in parts(part, schema[part])
        for fault in faults(path, child)
    ]

    assert found == []


@every_kind
def test_every_field_is_explained_in_a_sentence(info: KindInfo) -> None:
    schema = schema_of(info)["properties"]

    wordless = [
        path
        for part in ("spec", "status")
        for path, child in parts(part, schema[part])
        if not path.endswith("]") and not child.get("description", "").rstrip("`").endswith((".", "…"))
    ]

    assert wordless == []


def test_every_rule_has_examples() -> None:
    rules = {
        (info.kind, rule["message"])
        for info in KINDS
        for _, child in parts("spec", schema_of(info)["properties"]["spec"])
        for rule in child.get("x-kubernetes-validations", [])
    }

    examples = {(case.kind, case.message) for case in RULES}
    assert examples | {(case.kind, case.message) for case in UPDATE_RULES} == rules


@every_kind
def test_a_new_object_is_not_taken_for_ready(info: KindInfo) -> None:
    assert schema_of(info)["properties"]["status"]["default"] == {"observedGeneration": -1}


@every_kind
def test_plain_kubectl_apply_can_store_it(info: KindInfo) -> None:
    # `kubectl apply` keeps a copy in an annotation, and annotations end at 256 KiB.
    assert len(to_yaml(definition(info)).encode()) < 150_000


@every_kind
def test_the_yaml_says_the_same_and_repeats_instead_of_pointing(info: KindInfo) -> None:
    text = to_yaml(definition(info))

    assert yaml.safe_load(text) == definition(info)
    assert "&id" not in text


@every_kind
def test_selectable_fields_are_strings_of_the_schema(info: KindInfo) -> None:
    schemas = dict(parts(".spec", schema_of(info)["properties"]["spec"]))

    assert len(info.selectable_fields) <= 8
    assert [schemas[path]["type"] for path in info.selectable_fields] == ["string"] * len(
        info.selectable_fields
    )


@pytest.mark.parametrize(("kind", "changes"), ACCEPTED)
def test_the_models_and_the_schema_have_the_same_defaults(kind: str, changes: Mapping[str, Any]) -> None:
    raw = spec_of(kind, changes)
    info = by_kind(kind)

    by_server = filled(raw, schema_of(info)["properties"]["spec"])

    assert info.spec.model_validate(by_server).to_body() == info.spec.model_validate(raw).to_body()
    assert set(info.spec.model_validate(raw).to_body()) - set(by_server) <= {
        "credentials",
        "parameters",
        "settings",
        "extra",
    }


def test_the_files_in_the_repository_are_up_to_date(tmp_path: Path) -> None:
    main([str(tmp_path / "crds"), str(tmp_path / "chart"), "--reference", str(tmp_path / "kinds.md")])

    written = {file.name: file.read_text() for file in (tmp_path / "crds").iterdir()}
    assert written == {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}, (
        "run make crds"
    )
    assert written == {file.name: file.read_text() for file in (tmp_path / "chart").iterdir()}
    page = (ROOT / "docs" / "reference" / "kinds.md").read_text()
    assert (tmp_path / "kinds.md").read_text() == page, "run make crds"


class Small(Model):
    """Small."""

    size: int
    """The size."""


class Reworded(Model):
    """The same, in other words."""

    size: int
    """How large it is."""


class Described(Model):
    """Small, with a field that is called description."""

    size: int
    """The size."""
    description: Annotated[str | None, Field(max_length=8)] = None
    """Words."""


def test_the_hash_is_about_behaviour_and_not_about_words() -> None:
    small = replace(KINDS[0], spec=Small)

    assert hash_of(replace(small, spec=Reworded, description="other")) == hash_of(small)
    assert hash_of(replace(small, spec=Described)) != hash_of(small)
    assert hash_of(replace(small, columns=())) != hash_of(small)


@every_kind
def test_the_operator_expects_the_hash_that_the_file_carries(info: KindInfo) -> None:
    file = ROOT / "crds" / f"opensearchml.io_{info.plural}.yaml"

    annotations = yaml.safe_load(file.read_text())["metadata"]["annotations"]

    assert annotations == {SCHEMA_HASH_ANNOTATION: schema_hash(info.kind)}
