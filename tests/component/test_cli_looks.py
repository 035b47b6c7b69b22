"""`doctor`, `status` and `tree` against both fakes, with the operator between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from component.conftest import Stage
from opensearch_ml_operator import __version__
from opensearch_ml_operator.cli.exits import Exit
from opensearch_ml_operator.crdgen import definition
from opensearch_ml_operator.models.kinds import KINDS
from support.command_line import Ran, run
from support.fake_kube.faults import Fault
from support.scene import CLUSTER_CONNECTIONS, CONNECTIONS, GROUPS, MODELS, Scene

USERS = {"admin": "password-of-admin"}


async def command(*arguments: str | Path) -> Ran:
    return await run(*arguments, environ={"KUBECONFIG": os.environ["KUBECONFIG"]})


def checks(ran: Ran, title: str) -> dict[str, dict[str, Any]]:
    (section,) = [each for each in ran.document["sections"] if each["title"].startswith(title)]
    return {check["name"]: check for check in section["checks"]}


async def test_status_shows_a_set_that_is_well(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("status", "-n", world.namespace)
    assert ran.code == Exit.OK
    (model,) = [line.split() for line in ran.out.splitlines() if "rmodel/model" in line]
    assert model[:4] == ["✓", "rmodel/model", "Succeeded", "DEPLOYED"]
    assert model[4] == world.status(MODELS, "model")["id"]


async def test_status_says_what_is_wrong(world: Scene) -> None:
    world.model(modelGroupRef=None)
    await world.becomes(MODELS, "model", "Ready", "ConnectorNotFound", seconds=60)
    ran = await command("status", "rmodel", "-A", "-o", "json")
    assert ran.code == Exit.PROBLEMS
    (item,) = ran.document["items"]
    assert (item["name"], item["reason"]) == ("model", "ConnectorNotFound")
    ran = await command("status", "-A")
    assert "✗ RemoteModel team/model: ConnectorNotFound" in ran.out
    assert "docs/reasons.md#connectornotfound" in ran.out


async def test_status_goes_on_without_what_may_not_be_read(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    world.kube.fail(Fault(verb="list", resource=CONNECTIONS, status=403))
    ran = await command("status", "-n", world.namespace)
    assert "list opensearchconnections" in ran.err
    assert "rmodel/model" in ran.out


async def test_what_is_held_is_marked(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    world.edit(MODELS, "model", suspend=True)
    world.edit(GROUPS, "group", managementPolicy="Observe")
    await world.ready(seconds=60)
    ran = await command("status", "-n", "team")
    assert "Succeeded (suspended)" in ran.out
    assert "Succeeded (observed)" in ran.out
    lines = (await command("tree", "-n", "team")).out.splitlines()
    assert [line.rpartition(", ")[2] for line in (lines[1], lines[-1])] == ["observed", "suspended"]


async def test_status_of_a_spec_that_nobody_has_acted_on(stage: Stage) -> None:
    world = await stage(start=False)
    world.everything()
    ran = await command("status", "-n", world.namespace)
    assert ran.code == Exit.PROBLEMS
    assert "… MLConnector team/connector: NotSeenYet" in ran.out


async def test_tree_shows_who_hangs_on_whom(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("tree", "-n", world.namespace)
    assert ran.code == Exit.OK
    model = world.status(MODELS, "model")["id"]
    lines = ran.out.splitlines()
    assert lines[0].startswith("✓ OpenSearchConnection team/main  OpenSearch 3.6.0, http://127.0.0.1:")
    assert lines[-1] == f"   └─ ✓ RemoteModel model  {model}, DEPLOYED on 1 of 1 nodes, group group"


SHARED = {"connectionRef": {"kind": "ClusterOpenSearchConnection", "name": "shared"}}


async def share(world: Scene, **allowed: Any) -> None:
    """Create a connection of the whole cluster, a group of this namespace on it, and one of another."""
    spec = {"endpoints": [world.ml.url], "timeout": {"connect": "1m", "read": "5m"}}
    world.create(CLUSTER_CONNECTIONS, "shared", {**spec, "allowedNamespaces": allowed})
    world.create(CLUSTER_CONNECTIONS, "unused", {**spec, "allowedNamespaces": allowed})
    world.create(GROUPS, "ours", {**SHARED, "name": "ours"})
    await world.becomes(CLUSTER_CONNECTIONS, "shared", "Ready", "Succeeded", seconds=60)


async def test_tree_and_status_show_a_connection_of_the_whole_cluster(world: Scene) -> None:
    await share(world, names=["team"])
    await world.becomes(GROUPS, "ours", "Ready", "Succeeded", seconds=60)
    world.kube.create(GROUPS, {"metadata": {"name": "theirs"}, "spec": SHARED}, "other")
    ran = await command("tree", "-n", "team")
    first, group = ran.out.splitlines()
    assert first.startswith("✓ ClusterOpenSearchConnection shared  OpenSearch 3.6.0")
    assert group.startswith("└─ ✓ MLModelGroup team/ours")
    ran = await command("tree", "-A")
    assert [line.split("MLModelGroup ")[-1].split()[0] for line in ran.out.splitlines()[1:3]] == [
        "other/theirs",
        "team/ours",
    ]
    assert "unused" in ran.out
    ran = await command("status", "-n", "team", "-o", "json")
    assert {item["name"] for item in ran.document["items"]} == {"shared", "ours"}
    ran = await command("status", "cosconn", "-n", "team", "-o", "json")
    assert {item["name"] for item in ran.document["items"]} == {"shared", "unused"}


async def test_a_connection_of_the_whole_cluster_that_may_not_be_read(world: Scene) -> None:
    await share(world, names=["team"])
    world.kube.fail(Fault(verb="get", resource=CLUSTER_CONNECTIONS, status=403, times=-1))
    ran = await command("tree", "-n", "team")
    assert "get clusteropensearchconnections" in ran.err
    assert "✗ ClusterOpenSearchConnection shared  does not exist, or may not be read" in ran.out


async def test_doctor_says_which_namespace_a_connection_of_the_whole_cluster_shuts_out(world: Scene) -> None:
    await share(world, selector={"matchLabels": {"search": "yes"}})
    title = "ClusterOpenSearchConnection shared"
    ran = await command("doctor", "-n", "team", "-o", "json")
    found = checks(ran, title)
    assert found["plugin"]["verdict"] == "ok", ran.out
    assert found["namespaces"]["verdict"] == "failed"
    assert "objects of team name it" in found["namespaces"]["message"]
    patch = found["namespaces"]["fixes"][0]["command"]
    assert """'{"spec": {"allowedNamespaces": {"names": ["team"]}}}'""" in patch
    world.kube.patch("namespaces", "team", {"metadata": {"labels": {"search": "yes"}}})
    ran = await command("doctor", "cosconn/shared", "-n", "team", "-o", "json")
    assert checks(ran, title)["namespaces"]["message"] == "lets in team"
    ran = await command("doctor", "shared", "-n", "other")
    assert (ran.code, "cosconn/shared" in ran.err) == (Exit.USAGE, True)


def install(world: Scene, image: str, **status: int) -> None:
    """Put into the cluster what the chart does."""
    for info in KINDS:
        served = {"conditions": [{"type": "Established", "status": "True"}]}
        world.kube.create("customresourcedefinitions", {**definition(info), "status": served})
    containers = [{"name": "operator", "image": image}]
    spec = {"replicas": 1, "template": {"spec": {"containers": containers}}}
    world.kube.create("deployments", {"metadata": {"name": "it"}, "spec": spec, "status": status}, "ops")


async def test_doctor_finds_nothing_wrong_with_a_good_set(stage: Stage) -> None:
    world = await stage(version="2.19.1", users=USERS)
    install(world, f"operator:{__version__}", availableReplicas=1)
    world.everything()
    await world.ready(seconds=60)
    ran = await command("doctor", "-n", world.namespace, "-o", "json")
    kubernetes = checks(ran, "Kubernetes")
    assert {name: check["verdict"] for name, check in kubernetes.items()} == {"CRDs": "ok", "operator": "ok"}
    found = checks(ran, "OpenSearchConnection team/main")
    assert ran.code == Exit.OK, ran.out
    assert found["identity"]["message"] == "accepted as admin"
    assert {"DNS", "TCP", "version", "plugin", "rights", "settings"} <= found.keys()


async def test_doctor_of_an_empty_cluster_says_how_to_install(stage: Stage) -> None:
    await stage(start=False)
    ran = await command("doctor")
    assert ran.code == Exit.PROBLEMS
    assert "is not installed" in ran.out
    assert "$ helm upgrade --install" in ran.out


async def test_doctor_sees_an_operator_that_does_not_run_or_is_another(stage: Stage) -> None:
    world = await stage(start=False)
    install(world, "operator:0.0.1", availableReplicas=0)
    operator = checks(await command("doctor", "-o", "json"), "Kubernetes")["operator"]
    assert (operator["verdict"], operator["message"]) == ("failed", "ops/it: 0 of 1 pods are available")
    world.kube.patch("deployments", "it", {"status": {"availableReplicas": 1}}, "ops")
    operator = checks(await command("doctor", "-o", "json"), "Kubernetes")["operator"]
    assert operator["verdict"] == "warning"
    assert "operator:0.0.1" in operator["message"]


async def test_doctor_tells_of_orphans(stage: Stage) -> None:
    world = await stage(start=False)
    world.connection()
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
    condition = {**ready, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"conditions": [condition], "observedGeneration": 1, "orphanCount": 2}
    world.kube.patch(CONNECTIONS, "main", {"status": status}, "team", subresource="status")
    found = checks(await command("doctor", "-n", "team", "-o", "json"), "OpenSearchConnection team/main")
    assert found["the operator"]["verdict"] == "warning"
    assert "2 objects without a resource" in found["the operator"]["message"]


async def test_doctor_changes_nothing(stage: Stage) -> None:
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    await world.quiet(seconds=60)
    writes, remote = world.writes(), world.remote()
    await command("doctor", "-n", world.namespace)
    assert (world.writes(), world.remote()) == (writes, remote)
    assert world.ml.cluster.persistent == {}


async def test_doctor_without_the_right_to_read_the_secret_says_what_the_operator_sees(
    stage: Stage,
) -> None:
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    world.kube.fail(Fault(verb="get", resource="secrets", status=403, times=-1))
    ran = await command("doctor", "-n", world.namespace, "-o", "json")
    found = checks(ran, "OpenSearchConnection team/main")
    assert found["the operator"]["verdict"] == "ok"
    assert found["Secret"]["verdict"] == "skipped"
    assert "get secrets 'main-login'" in found["Secret"]["message"]


async def test_doctor_before_the_installation_names_missing_rights_and_settings(stage: Stage) -> None:
    world = await stage(start=False, version="2.19.1", users=USERS)
    world.ml.forbidden = {"deploy-model", "create-connector"}
    arguments = ("--url", world.ml.url, "--user", "admin", "--password-env", "PASSWORD")
    addresses = ("--model-url", "https://models.example/v1")
    environ = {"PASSWORD": USERS["admin"]}
    ran = await run("doctor", *arguments, *addresses, "-o", "json", environ=environ)
    assert ran.code == Exit.PROBLEMS
    (section,) = ran.document["sections"]
    failed = {check["name"]: check for check in section["checks"] if check["verdict"] == "failed"}
    assert failed.keys() == {"rights", "settings"}
    assert "2 of 25 permissions are missing" in failed["rights"]["message"]
    assert failed["rights"]["fixes"][0]["request"]["path"].endswith("/roles/opensearch-ml-admin")
    assert "https://models.example/v1" in failed["settings"]["message"]
    assert USERS["admin"] not in ran.out + ran.err


async def test_doctor_with_a_wrong_password_stops_at_the_identity(stage: Stage) -> None:
    world = await stage(start=False, version="2.19.1", users=USERS)
    arguments = ("--url", world.ml.url, "--user", "admin", "--password-env", "PASSWORD")
    ran = await run("doctor", *arguments, environ={"PASSWORD": "wrong-password"})
    assert ran.code == Exit.PROBLEMS
    assert "✗ identity" in ran.out
    assert "rights" not in ran.out
    assert "wrong-password" not in ran.out + ran.err


async def test_doctor_of_a_port_where_nobody_listens(stage: Stage) -> None:
    world = await stage(start=False)
    url = world.ml.url
    await world.ml.stop()
    ran = await run("doctor", "--url", url, environ={})
    assert ran.code == Exit.UNREACHABLE
    assert "✗ TCP" in ran.out
    await world.ml.start()
