"""Three nodes of OpenSearch: lost, away during a rotation, restarted in turn; and nobody has to act."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from stack import versions
from stack.local import Stack
from stack.opensearch_node import OpenSearch
from stack.operator_process import OperatorProcess
from support.live_kube import condition, open_namespace
from support.live_metrics import opensearch_requests
from support.live_remote import ML, Remote, open_remote
from support.live_sets import CANARY, Sets
from support.live_stage import Stage
from support.live_waiting import until

NAMESPACE = "three-nodes"
NEW_KEY = f"{CANARY}key-of-three-nodes"
NODES = 3
EXPELLED = 90.0
"""Seconds; after 32 the others have expelled a node that does not answer."""


@pytest.fixture(scope="module")
def nodes(local_stack: Stack) -> Iterator[tuple[OpenSearch, ...]]:
    """Return three nodes, the cluster's manager first."""
    started = local_stack.opensearch_cluster(versions.OPENSEARCH_3, nodes=NODES)
    yield tuple(sorted(started, key=lambda node: not _manages(node)))
    for node in started:
        node.stop()


@pytest.fixture
def stage(local_stack: Stack, operator: OperatorProcess, nodes: tuple[OpenSearch, ...]) -> Iterator[Stage]:
    """Return a namespace whose connection knows all three; leave nothing behind."""
    sets = Sets(nodes[0], local_stack.model_server, NAMESPACE)
    with open_namespace(local_stack.control_plane, NAMESPACE) as kube, open_remote(nodes[0]) as remote:
        opened = Stage(local_stack, kube, remote, sets)
        kube.apply(*sets.connection(endpoints=[node.url for node in nodes]), sets.key())
        kube.until_ready("OpenSearchConnection", "main")
        yield opened
        if operator.server.is_running():
            kube.delete_all()
            opened.until_nothing_is_left()


@pytest.mark.exhaustive
@pytest.mark.timeout(600, func_only=True)
def test_a_node_away_during_a_rotation_and_a_lost_one(
    stage: Stage, nodes: tuple[OpenSearch, ...], operator: OperatorProcess
) -> None:
    connector = stage.sets.connector("first", update={"keepOldFor": "0s"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first", resyncInterval="30s"))
    model_id = stage.ready("first", seconds=90)
    until(lambda: _workers(stage) == (NODES, NODES), seconds=60)
    _away_during_a_rotation(stage, nodes[1], model_id)
    until(lambda: _workers(stage) == (NODES, NODES), seconds=90)
    before = opensearch_requests(operator, NAMESPACE)
    _lost(stage, nodes[2], model_id)
    # OpenSearch mends all of that by itself; the operator shows it and keeps its hands off.
    assert condition(stage.kube.get("RemoteModel", "first"), "Ready")["status"] == "True"
    after = opensearch_requests(operator, NAMESPACE)
    for effect in ("deploy-model", "undeploy-model", "register-model", "create-connector"):
        assert after[effect] == before[effect], effect
    assert stage.kube.get("RemoteModel", "first")["status"]["id"] == model_id


@pytest.mark.exhaustive
@pytest.mark.timeout(900, func_only=True)
def test_a_rolling_restart(stage: Stage, nodes: tuple[OpenSearch, ...]) -> None:
    stage.kube.apply(stage.sets.group("first"), stage.sets.connector("first"), stage.sets.model("first"))
    model_id = stage.ready("first", seconds=90)
    until(lambda: _workers(stage) == (NODES, NODES), seconds=60)
    for node in reversed(nodes):  # the cluster's manager last
        node.stop()
        node.start()
        until(lambda: _members(stage.remote) == NODES, seconds=90)
        # A node may join before it can read the connector, and then lacks the model until the operator helps.
        until(lambda: _deployed_on(stage, model_id) == NODES, seconds=180, told=lambda: _story(stage))
    until(lambda: _workers(stage) == (NODES, NODES), seconds=60, told=lambda: _story(stage))
    assert stage.kube.get("RemoteModel", "first")["status"]["id"] == model_id


def _deployed_on(stage: Stage, model_id: str) -> int:
    """Return on how many nodes the model is, 0 when they are not all; a cluster may not know it at first."""
    answer = stage.remote.client.get(f"{ML}/models/{model_id}")
    model = answer.json() if answer.is_success else {}
    return int(model["current_worker_node_count"]) if model.get("model_state") == "DEPLOYED" else 0


def _story(stage: Stage) -> object:
    return stage.kube.get("RemoteModel", "first")["status"], _events(stage)


def _away_during_a_rotation(stage: Stage, away: OpenSearch, model_id: str) -> None:
    """Freeze a node until it is expelled, rotate, and let it come back with the old key in its memory."""
    away.pause()
    try:
        until(lambda: _members(stage.remote) == NODES - 1, seconds=EXPELLED, poll=1.0)
        stage.kube.apply(stage.sets.key(NEW_KEY))
        stage.kube.touch("MLConnector", "first", "rotated")
        until(lambda: "connectorChangedAt" in stage.kube.get("RemoteModel", "first")["status"], seconds=90)
        stage.ready("first", seconds=90)
    finally:
        away.resume()
    until(lambda: _members(stage.remote) == NODES, seconds=90)
    # OpenSearch sends predictions round all nodes: each has its turn twice.
    until(lambda: _keys(stage, model_id, 2 * NODES) == {NEW_KEY}, seconds=120, poll=1.0)
    assert "ConnectorSentAgain" in _events(stage)


def _lost(stage: Stage, lost: OpenSearch, model_id: str) -> None:
    """Crash a node: the others have the model, and it is Ready all the time."""
    lost.stop(seconds=0)
    until(lambda: _workers(stage) == (NODES - 1, NODES - 1), seconds=90)
    assert condition(stage.kube.get("RemoteModel", "first"), "Ready")["status"] == "True"
    until(lambda: stage.remote.predict(model_id).is_success)
    lost.start()
    until(lambda: _workers(stage) == (NODES, NODES), seconds=120)


def _workers(stage: Stage) -> tuple[int, int]:
    workers: dict[str, Any] = stage.kube.get("RemoteModel", "first")["status"].get("workers", {})
    return workers.get("current", 0), workers.get("planned", 0)


def _events(stage: Stage) -> set[str]:
    return {event["reason"] for event in stage.kube.list("Event")}


def _members(remote: Remote) -> int:
    try:
        answer = remote.client.get("/_cluster/health")
    except httpx.TransportError:
        return 0
    return int(answer.json().get("number_of_nodes", 0)) if answer.is_success else 0


def _keys(stage: Stage, model_id: str, calls: int) -> set[str]:
    """Return the keys that so many predictions carry to the model server."""
    stage.model_server.forget_requests()
    for _ in range(calls):
        assert stage.remote.predict(model_id).is_success
    sent = [request.headers["Authorization"] for request in stage.model_server.requests()]
    assert len(sent) >= calls
    return {value.removeprefix("Bearer ") for value in sent}


def _manages(node: OpenSearch) -> bool:
    with node.client() as client:
        (manager,) = client.get("/_cat/cluster_manager", params={"format": "json"}).raise_for_status().json()
    assert node.server is not None
    return bool(manager["node"] == node.server.name)
