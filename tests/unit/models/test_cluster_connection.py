"""Who is let in by a connection of the whole cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from opensearch_ml_operator.crdgen import definition
from opensearch_ml_operator.models.cluster_connection import (
    AllowedNamespaces,
    ClusterOpenSearchConnectionSpec,
)
from opensearch_ml_operator.models.kinds import by_kind

ROOT = Path(__file__).parents[3]
LABELS = {"team": "search", "stage": "test"}


def selected(*requirements: dict[str, Any], **labels: str) -> dict[str, Any]:
    selector = {"matchLabels": labels, "matchExpressions": list(requirements)}
    return {"selector": {key: value for key, value in selector.items() if value}}


def requirement(operator: str, *values: str, key: str = "team") -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({}, False),
        ({"names": []}, False),
        ({"names": ["one", "two"]}, True),
        ({"names": ["two"]}, False),
        (selected(team="search"), True),
        (selected(team="search", stage="live"), False),
        (selected(team=""), False),
        (selected(requirement("In", "sales", "search")), True),
        (selected(requirement("In", "sales")), False),
        (selected(requirement("NotIn", "sales")), True),
        (selected(requirement("NotIn", "search")), False),
        (selected(requirement("NotIn", "search", key="none")), True),
        (selected(requirement("Exists")), True),
        (selected(requirement("Exists", key="none")), False),
        (selected(requirement("DoesNotExist", key="none")), True),
        (selected(requirement("DoesNotExist")), False),
        (selected(requirement("Exists"), stage="live"), False),
        ({"names": ["one"], **selected(team="sales")}, True),
        ({"names": ["two"], **selected(team="search")}, True),
    ],
)
def test_a_namespace_is_let_in_by_name_or_by_label(spec: dict[str, Any], *, allowed: bool) -> None:
    assert AllowedNamespaces.model_validate(spec).allow("one", LABELS) is allowed


@pytest.mark.parametrize("condition", [requirement("NotIn", "sales"), requirement("DoesNotExist")])
def test_labels_that_are_not_known_let_nobody_in(condition: dict[str, Any]) -> None:
    allowed = AllowedNamespaces.model_validate(selected(condition))
    assert not allowed.allow("one", None)
    assert allowed.allow("one", {})


def test_nobody_is_let_in_and_no_id_allowed_by_default() -> None:
    spec = ClusterOpenSearchConnectionSpec(endpoints=["https://opensearch.example"])
    assert spec.allowed_namespaces is None
    assert spec.allow_external_ids is False


def test_every_secret_and_ca_is_named_with_its_namespace() -> None:
    schema = definition(by_kind("ClusterOpenSearchConnection"))["spec"]["versions"][0]["schema"]
    spec = schema["openAPIV3Schema"]["properties"]["spec"]
    references = list(_references("spec", spec))
    assert len(references) >= 2
    for path, reference in references:
        assert "namespace" in reference["required"], path
    by_path = dict(references)
    assert {"spec.auth.basic.secretRef", "spec.auth.sigv4.secretRef", "spec.tls.caRef"} <= by_path.keys()


def _references(path: str, schema: dict[str, Any]) -> Any:
    for name, child in schema.get("properties", {}).items():
        if name.endswith("Ref"):
            yield f"{path}.{name}", child
        yield from _references(f"{path}.{name}", child)


def test_the_example_is_a_good_document() -> None:
    document = yaml.safe_load((ROOT / "examples" / "cluster-connection.yaml").read_text())
    assert document["kind"] == "ClusterOpenSearchConnection"
    spec = ClusterOpenSearchConnectionSpec.model_validate(document["spec"])
    body = spec.to_body()
    assert {field: body[field] for field in document["spec"]} == {
        **document["spec"],
        "tls": {**document["spec"]["tls"], "insecureSkipVerify": False},
    }


def test_the_example_for_amazon_is_a_good_document() -> None:
    document = yaml.safe_load((ROOT / "examples" / "amazon-opensearch.yaml").read_text())
    assert document["kind"] == "ClusterOpenSearchConnection"
    auth = ClusterOpenSearchConnectionSpec.model_validate(document["spec"]).auth
    assert auth is not None
    assert auth.sigv4 is not None
    assert (auth.sigv4.secret_ref, auth.sigv4.of_team) == (None, False)
