"""A connection of the whole cluster on real servers: let in by a label, shut out, cleaned up all the same."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.constants import API_VERSION
from stack import versions
from support.command_line import run
from support.live_kube import CLUSTER
from support.live_stage import Stage

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
LABEL = "opensearchml.example/allowed"


def label(stage: Stage, value: str | None) -> None:
    """Label the namespace, or take the label away."""
    stage.kube.client.patch(
        f"/api/v1/namespaces/{stage.kube.namespace}",
        json={"metadata": {"labels": {LABEL: value}}},
        headers={"Content-Type": "application/merge-patch+json"},
    ).raise_for_status()


def shared(stage: Stage) -> list[dict[str, Any]]:
    """Return the connection with all that it needs; its Secrets are named with their namespace."""
    *needed, connection = stage.sets.connection()
    spec = connection["spec"]
    where = {"namespace": stage.kube.namespace}
    if "auth" in spec:
        spec["auth"]["basic"]["secretRef"] |= where
        spec["tls"]["caRef"] |= where
    spec["allowedNamespaces"] = {"selector": {"matchLabels": {LABEL: "yes"}}}
    metadata = {"name": stage.kube.namespace}
    return [*needed, {"apiVersion": API_VERSION, "kind": CLUSTER, "metadata": metadata, "spec": spec}]


async def doctor(stage: Stage) -> dict[str, str]:
    """Return what the command line finds about the connection: check, verdict."""
    environ = {"KUBECONFIG": str(stage.stack.control_plane.kubeconfig)}
    name = stage.kube.namespace
    ran = await run("doctor", f"cosconn/{name}", "-n", name, "-o", "json", environ=environ)
    (section,) = [each for each in ran.document["sections"] if each["title"] == f"{CLUSTER} {name}"]
    return {check["name"]: check["verdict"] for check in section["checks"]}


@pytest.mark.exhaustive
@both
async def test_a_set_lives_and_goes_through_a_connection_of_the_cluster(stage: Stage) -> None:
    name = stage.kube.namespace
    stage.kube.apply(*shared(stage), stage.sets.key())
    stage.kube.until_ready(CLUSTER, name)
    try:
        ref: dict[str, Any] = {"connectionRef": {"kind": CLUSTER, "name": name}}
        stage.kube.apply(
            stage.sets.group("one", **ref), stage.sets.connector("one", **ref), stage.sets.model("one")
        )
        message = stage.kube.until_reason("MLModelGroup", "one", "NamespaceNotAllowed")
        assert name in message
        assert stage.left() == {"models": 0, "connectors": 0, "model_groups": 0}
        found = await doctor(stage)
        assert (found["namespaces"], found["identity"]) == ("failed", "ok")

        label(stage, "yes")
        model_id = stage.ready("one")
        assert (await doctor(stage))["namespaces"] == "ok"
        raw: dict[str, Any] = {"connectorRef": None, "connectorID": model_id, "modelGroupRef": None}
        stage.kube.apply(stage.sets.model("two", **raw, **ref))
        assert "spec.connectorID" in stage.kube.until_reason("RemoteModel", "two", "NamespaceNotAllowed")

        label(stage, None)
        for kind in ("MLModelGroup", "MLConnector", "RemoteModel"):
            stage.kube.until_reason(kind, "one", "NamespaceNotAllowed")
        assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
        stage.kube.delete(CLUSTER, name)
        stage.kube.delete_all()
        stage.until_nothing_is_left()
        stage.kube.until_gone((CLUSTER, name))
    finally:
        if stage.kube.find(CLUSTER, name) is not None:
            stage.kube.delete_all()
            stage.kube.delete(CLUSTER, name)
            stage.kube.until_gone((CLUSTER, name))
