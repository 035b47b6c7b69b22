"""`doctor`, `status` and `tree` on real servers; what `doctor` advises is done, word for word, and helps."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opensearch_ml_operator.cli.exits import Exit
from stack import versions
from stack.opensearch_node import OpenSearch
from support.command_line import Ran, run
from support.live_sets import CANARY, PASSWORD, ROLE
from support.live_stage import Stage

BOTH = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
URL = "https://models.example/v1/embeddings"
TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
INFERENCE = "plugins.ml_commons.remote_inference.enabled"


async def command(stage: Stage, *arguments: str) -> Ran:
    environ = {"KUBECONFIG": str(stage.stack.control_plane.kubeconfig)}
    return await run(*arguments, "-n", stage.kube.namespace, environ=environ)


def found(ran: Ran, title: str) -> list[dict[str, Any]]:
    (section,) = [each for each in ran.document["sections"] if each["title"].startswith(title)]
    checks: list[dict[str, Any]] = section["checks"]
    return checks


def failed(ran: Ran, title: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in found(ran, title) if check["verdict"] == "failed"}


def versions_of_the_set(stage: Stage) -> dict[tuple[str, str], str]:
    """Return the versions of what is written only on change; a connection counts its users by the way."""
    seen = stage.kube.versions()
    return {key: version for key, version in seen.items() if key[0] != "OpenSearchConnection"}


def mend(node: OpenSearch, check: Mapping[str, Any]) -> None:
    """Do as an administrator what the check advises."""
    with node.client() as client:
        for fix in check["fixes"]:
            request = fix["request"]
            answer = client.request(request["method"], request["path"], json=request["body"])
            answer.raise_for_status()


@pytest.fixture
def cleared() -> Iterator[Callable[[OpenSearch], None]]:
    """Return a way to note a node; its settings are reset at the end."""
    nodes: list[OpenSearch] = []
    yield nodes.append
    for node in nodes:
        with node.client() as client:
            nothing = {"persistent": {TRUSTED: None, INFERENCE: None}}
            client.put("/_cluster/settings", json=nothing).raise_for_status()


@BOTH
async def test_a_good_set_is_seen_as_one(stage: Stage, tmp_path: Path) -> None:
    stage.connect()
    model = stage.perform("one")
    ran = await command(stage, "status")
    assert ran.code == Exit.OK, ran.out
    assert model in ran.out
    ran = await command(stage, "tree")
    assert ran.code == Exit.OK
    assert ran.out.splitlines()[-1].strip() == (
        f"└─ ✓ RemoteModel one  {model}, DEPLOYED on 1 of 1 nodes, group one"
    )
    before = versions_of_the_set(stage)
    ran = await command(stage, "doctor", "-o", "json")
    assert failed(ran, "OpenSearchConnection") == {}, ran.out
    assert versions_of_the_set(stage) == before
    kubernetes = {check["name"]: check["verdict"] for check in found(ran, "Kubernetes")}
    assert kubernetes == {
        "CRDs": "ok",
        "operator": "failed",
    }  # here it runs as a process, not as a Deployment

    bundle = tmp_path / "bundle.tar.gz"
    ran = await command(stage, "report", "--file", str(bundle))
    assert ran.code == Exit.OK, ran.err
    text = gzip.decompress(bundle.read_bytes())
    assert CANARY.encode() not in text
    assert all(word.encode() in text for word in (model, "objects/remotemodels.json", "doctor.json"))
    assert versions_of_the_set(stage) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", [versions.OPENSEARCH_2], indirect=True)
async def test_missing_rights_are_named_and_the_advice_gives_them(stage: Stage) -> None:
    sets = replace(stage.sets, username="doctor-poor")
    stage.connect()
    stage.perform("one")  # a model, without which the profile tells nobody what he may
    missing = [
        each for each in ROLE["cluster_permissions"] if each.endswith(("deploy_model", "profile/nodes"))
    ]
    left = [each for each in ROLE["cluster_permissions"] if each not in missing]
    node = sets.node
    node.create_user(sets.username, PASSWORD, sets.username, {"cluster_permissions": left})
    stage.kube.apply(*sets.connection("poor"))
    stage.kube.until_ready("OpenSearchConnection", "poor")

    ran = await command(stage, "doctor", "poor", "-o", "json")
    rights = failed(ran, "OpenSearchConnection")["rights"]
    unseen = "cluster:admin/opensearch/ml/undeploy_model"
    assert {each for each in ROLE["cluster_permissions"] if each in words(rights["message"])} == {
        each for each in missing if each != unseen
    }
    mend(node, rights)
    ran = await command(stage, "doctor", "poor", "-o", "json")
    assert failed(ran, "OpenSearchConnection") == {}, ran.out


def words(text: str) -> set[str]:
    return set(text.replace(",", " ").split())


@pytest.mark.xdist_group("settings-of-the-cluster")
@BOTH
async def test_settings_in_the_way_are_named_and_the_advice_mends_them(
    stage: Stage, cleared: Callable[[OpenSearch], None]
) -> None:
    stage.connect()
    node = stage.sets.node
    cleared(node)
    with node.client() as client:
        body = {"persistent": {INFERENCE: False}}
        client.put("/_cluster/settings", json=body).raise_for_status()
    ran = await command(stage, "doctor", "--model-url", URL, "-o", "json")
    wrong = [check for check in found(ran, "OpenSearchConnection") if check["verdict"] == "failed"]
    assert [check["name"] for check in wrong] == ["settings", "settings"], ran.out
    assert INFERENCE in wrong[0]["message"]
    assert URL in wrong[1]["message"]
    for check in wrong:
        mend(node, check)
    ran = await command(stage, "doctor", "--model-url", URL, "-o", "json")
    assert failed(ran, "OpenSearchConnection") == {}, ran.out


@pytest.mark.parametrize("stage", [versions.OPENSEARCH_2], indirect=True)
async def test_a_wrong_authority_and_a_wrong_password_are_told_apart(stage: Stage) -> None:
    node = stage.sets.node
    login = ("--user", stage.sets.username, "--password-env", "PASSWORD", "-o", "json")
    ran = await run("doctor", "--url", node.url, *login, environ={"PASSWORD": PASSWORD})
    assert failed(ran, "OpenSearch").keys() == {"TLS"}, ran.out
    authority = ("--ca-file", str(node.ca_file))
    ran = await run("doctor", "--url", node.url, *authority, *login, environ={"PASSWORD": "wrong"})
    assert failed(ran, "OpenSearch").keys() == {"identity"}, ran.out
    ran = await run("doctor", "--url", node.url, *authority, *login, environ={"PASSWORD": PASSWORD})
    assert (ran.code, failed(ran, "OpenSearch")) == (Exit.OK, {})
