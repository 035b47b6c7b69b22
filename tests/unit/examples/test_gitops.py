"""The examples for GitOps fit together, and the page and the examples know each other."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensearch_ml_operator.constants import GROUP
from opensearch_ml_operator.crdgen import definition
from opensearch_ml_operator.models.kinds import by_kind

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "gitops"
FILES = sorted(FOLDER.glob("*/*.yaml"))
PAGE = (ROOT / "docs" / "gitops.md").read_text()
WAVE = "argocd.argoproj.io/sync-wave"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def of_kind(path: Path, kind: str) -> dict[str, Any]:
    (found,) = (each for each in documents(path) if each["kind"] == kind)
    return found


OURS = [
    pytest.param(each, id=f"{path.stem}-{each['kind']}")
    for path in FILES
    for each in documents(path)
    if each["apiVersion"].startswith(f"{GROUP}/")
]


@pytest.mark.parametrize("document", OURS)
def test_our_documents_are_what_the_models_take(document: dict[str, Any]) -> None:
    info = by_kind(document["kind"])
    info.spec.model_validate(document["spec"])
    schema = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert document["spec"].keys() <= schema["properties"].keys()


def test_the_vaults_key_is_the_one_that_the_connector_uses() -> None:
    path = FOLDER / "secrets" / "external-secrets.yaml"
    secret, connector = of_kind(path, "ExternalSecret"), of_kind(path, "MLConnector")
    brought = {(secret["spec"]["target"]["name"], each["secretKey"]) for each in secret["spec"]["data"]}
    wanted = {
        (each["secretKeyRef"]["name"], each["secretKeyRef"]["key"])
        for each in connector["spec"]["credentials"]
    }
    assert wanted == brought
    assert secret["metadata"]["namespace"] == connector["metadata"]["namespace"]


def test_the_certificate_is_the_one_that_the_connection_shows() -> None:
    path = FOLDER / "certificates" / "cert-manager.yaml"
    certificate, connection = of_kind(path, "Certificate"), of_kind(path, "OpenSearchConnection")
    secret = certificate["spec"]["secretName"]
    assert connection["spec"]["auth"]["clientCertificate"]["secretRef"]["name"] == secret
    assert connection["spec"]["tls"]["caRef"] == {"kind": "Secret", "name": secret, "key": "ca.crt"}
    assert certificate["spec"]["usages"] == ["client auth"]


def test_each_wave_needs_only_what_came_before() -> None:
    connection, connector, model = documents(FOLDER / "argocd" / "waves.yaml")
    waves = [int(each["metadata"]["annotations"][WAVE]) for each in (connection, connector, model)]
    assert all(before < after for before, after in pairwise(waves))
    assert connector["spec"]["connectionRef"]["name"] == connection["metadata"]["name"]
    assert model["spec"]["connectorRef"]["name"] == connector["metadata"]["name"]


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_the_operators_values_are_values_of_the_chart(tool: str) -> None:
    text = (FOLDER / tool / "operator.yaml").read_text()
    assert "deploy/chart" in text
    for each in yaml.safe_load_all(text):
        spec = each["spec"]
        values = spec.get("values") or spec.get("source", {}).get("helm", {}).get("valuesObject") or {}
        defaults = yaml.safe_load((ROOT / "deploy" / "chart" / "values.yaml").read_text())
        assert values.keys() <= defaults.keys()


def test_the_page_links_to_every_example() -> None:
    linked = set(re.findall(r"\.\./examples/gitops/(\S+?\.yaml)", PAGE))
    assert linked == {str(path.relative_to(FOLDER)) for path in FILES}


def test_the_patch_for_argo_cd_carries_the_script() -> None:
    folder = ROOT / "deploy" / "argocd"
    patch = yaml.safe_load((folder / "argocd-cm-patch.yaml").read_text())
    (text,) = patch["data"].values()
    assert yaml.safe_load(text) == {f"{GROUP}/*": {"health.lua": (folder / "health.lua").read_text()}}
    assert patch["data"].keys() == {"resource.customizations"}
