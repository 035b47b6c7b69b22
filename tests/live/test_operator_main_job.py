"""The main job on both releases: one apply, a model that answers, and no more traffic than is said."""

from __future__ import annotations

import pytest

from stack import versions
from stack.operator_process import OperatorProcess
from support.live_kube import OURS
from support.live_metrics import is_idle, kubernetes_writes, opensearch_requests, sample
from support.live_sets import KEY
from support.live_stage import Stage
from support.live_waiting import until

MODEL_WRITES, OTHER_WRITES = 5, 3
"""Writes of one object until it is Ready, with the finalizer."""
SET_REQUESTS = 9
HYPHEN_REQUESTS = 3
"""A connector whose id has a hyphen is deleted and made again: the DELETE, its proof and another POST.

Each time has its own intent on record: one more write.
"""
SETS, READS = 8, 16
"""Sets of three kinds, and the requests that read all 24 objects: about ten on an idle machine."""

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)


def check_metrics(stage: Stage, operator: OperatorProcess, model_id: str) -> None:
    """Compare what is served with what is there."""
    place = {"namespace": stage.kube.namespace, "name": "first"}
    info = {"kind": "RemoteModel", "external_id": model_id, "connection": "main", "reason": "Succeeded"}
    assert sample(operator, "opensearch_ml_resource_info", **info, **place) == 1
    for name in ("planned", "deployed"):
        assert sample(operator, f"opensearch_ml_model_nodes_{name}", **place) == 1
    up = {"namespace": stage.kube.namespace, "name": "main"}
    assert sample(operator, "opensearch_ml_connection_up", **up) == 1
    version = stage.kube.get("OpenSearchConnection", "main")["status"]["version"]
    assert sample(operator, "opensearch_ml_connection_info", **up, opensearch_version=version) == 1
    assert (sample(operator, "opensearch_ml_time_to_ready_seconds_count", kind="RemoteModel") or 0) > 0
    deploys = {"task_type": "Deploy", "result": "COMPLETED"}
    until(lambda: sample(operator, "opensearch_ml_task_duration_seconds_count", **deploys))
    assert sample(operator, "opensearch_ml_tasks_in_flight", task_type="Deploy") == 0


@both
def test_one_apply_is_enough(stage: Stage, operator: OperatorProcess) -> None:
    stage.connect()
    before = opensearch_requests(operator, stage.kube.namespace)
    marks = {kind: stage.kube.mark(kind) for kind in OURS}
    stage.kube.apply_at_once(*reversed(stage.sets.one_set("first")))
    model_id = stage.ready("first")

    requests = opensearch_requests(operator, stage.kube.namespace) - before
    again = requests["create-connector"] - 1
    writes = {kind: stage.kube.changes(kind, since)["first"] for kind, since in marks.items()}
    assert 0 < writes["RemoteModel"] <= MODEL_WRITES, writes
    assert 0 < writes["MLConnector"] <= OTHER_WRITES + again, writes
    assert 0 < writes["MLModelGroup"] <= OTHER_WRITES, writes

    assert requests.total() <= SET_REQUESTS + HYPHEN_REQUESTS * again, requests

    model = stage.kube.get("RemoteModel", "first")["status"]
    tasks = {task["type"]: stage.remote.get("tasks", task["id"]) for task in model["tasks"]}
    assert {name: task and (task["task_type"], task["model_id"]) for name, task in tasks.items()} == {
        "Register": ("REGISTER_MODEL", model_id),
        "Deploy": ("DEPLOY_MODEL", model_id),
    }
    connector = stage.kube.get("MLConnector", "first")["status"]["id"]
    group = stage.kube.get("MLModelGroup", "first")["status"]["id"]
    there = stage.remote.get("models", model_id)
    assert there is not None
    assert (there["model_state"], there["connector_id"], there["model_group_id"]) == (
        "DEPLOYED",
        connector,
        group,
    )
    assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
    check_metrics(stage, operator, model_id)

    stage.model_server.forget_requests()
    assert stage.remote.predict(model_id).status_code == 200
    (call,) = stage.model_server.requests()
    assert call.headers["Authorization"] == f"Bearer {KEY}"


@both
def test_a_restart_writes_nothing_and_reads_in_batches(stage: Stage, operator: OperatorProcess) -> None:
    stage.connect()
    names = [f"set-{number}" for number in range(SETS)]
    stage.kube.apply_at_once(*(document for name in names for document in stage.sets.one_set(name)))
    for name in names:
        stage.ready(name)
    # The connection counts its users at its next health check, and may have been early for the last of them.
    until(
        lambda: stage.kube.get("OpenSearchConnection", "main")["status"]["usedBy"]["models"] == SETS,
        seconds=60,
    )
    before = stage.kube.versions()

    operator.restart()
    searches = {"search-models", "search-connectors", "search-groups"}
    until(lambda: searches <= set(opensearch_requests(operator, stage.kube.namespace)) and is_idle(operator))
    requests = opensearch_requests(operator, stage.kube.namespace)
    # Who is first reads alone, by a GET; who comes meanwhile is part of one search, who is late of the next.
    assert set(requests) <= searches | {"get-model", "get-connector", "get-group"}
    assert requests.total() <= READS, requests
    assert stage.kube.versions() == before
    assert kubernetes_writes(operator).total() == 0
