from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from opensearch_ml_operator.engine.controller import Vitals
from opensearch_ml_operator.engine.workers import RunResult
from opensearch_ml_operator.fleet import Sources
from opensearch_ml_operator.kube.targets import Target, ours
from opensearch_ml_operator.metrics import Metrics
from opensearch_ml_operator.models.snapshot import Snapshot
from opensearch_ml_operator.opensearch.operations import Operation
from support.scrape import CONNECTION, IDLE, MODEL, NOW, show, thing, value


def test_runs_are_counted_by_kind_and_result_and_timed() -> None:
    metrics = Metrics()
    metrics.run_started(MODEL)
    metrics.run_started(MODEL)
    assert value(metrics, "opensearch_ml_reconcile_in_progress", kind="RemoteModel") == 2
    metrics.run_ended(MODEL, RunResult.TRANSIENT_ERROR, 0.3)
    assert value(metrics, "opensearch_ml_reconcile_in_progress", kind="RemoteModel") == 1
    assert value(metrics, "opensearch_ml_reconcile_total", kind="RemoteModel", result="transient_error") == 1
    assert value(metrics, "opensearch_ml_reconcile_duration_seconds_sum", kind="RemoteModel") == 0.3


def test_requests_to_opensearch_are_counted_by_connection_operation_and_code_and_timed() -> None:
    metrics = Metrics()
    metrics.opensearch_request(CONNECTION, Operation.DEPLOY_MODEL, "200", 0.2)
    metrics.opensearch_request(CONNECTION, Operation.DEPLOY_MODEL, "not-sent", 0.1)
    owner = {"namespace": "team", "connection": "os", "operation": "deploy-model"}
    assert value(metrics, "opensearch_ml_http_requests_total", code="200", **owner) == 1
    assert value(metrics, "opensearch_ml_http_requests_total", code="not-sent", **owner) == 1
    assert value(metrics, "opensearch_ml_http_request_duration_seconds_count", **owner) == 2


def test_writes_to_kubernetes_are_counted_by_resource_and_never_by_name() -> None:
    metrics = Metrics()
    for name in ("one", "two"):
        metrics.kubernetes_request("PATCH", Target(ours("remotemodels"), "team", name, "status"), 200, 0.1)
    labels = {"method": "PATCH", "resource": "remotemodels", "subresource": "status", "code": "200"}
    assert value(metrics, "opensearch_ml_kubernetes_requests_total", **labels) == 2


def test_resources_are_counted_by_readiness_and_reason() -> None:
    metrics = show(
        thing("RemoteModel", "a", ("Ready", "True", "Succeeded"), id="abc"),
        thing("RemoteModel", "b", ("Ready", "True", "Succeeded")),
        thing("RemoteModel", "c", ("Ready", "False", "DeployTaskFailed")),
        thing("RemoteModel", "d"),
    )
    name, kind = "opensearch_ml_resources", {"kind": "RemoteModel", "namespace": "team"}
    assert value(metrics, name, ready="True", reason="Succeeded", **kind) == 2
    assert value(metrics, name, ready="False", reason="DeployTaskFailed", **kind) == 1
    assert value(metrics, name, ready="Unknown", reason="", **kind) == 1
    info = "opensearch_ml_resource_info"
    made = {"external_id": "abc", "ready": "True", "reason": "Succeeded"}
    new = {"external_id": "", "ready": "Unknown", "reason": ""}
    assert value(metrics, info, name="a", connection="", **made, **kind) == 1
    assert value(metrics, info, name="d", connection="", **new, **kind) == 1


def test_an_object_that_is_gone_leaves_no_series_behind() -> None:
    objects = [thing("RemoteModel", "a", ("Ready", "True", "Succeeded"))]
    metrics = Metrics()
    metrics.show(Sources(lambda: objects, lambda: IDLE))
    assert b'name="a"' in metrics.scrape()()
    objects.clear()
    assert b'name="a"' not in metrics.scrape()()


@pytest.mark.parametrize(("status", "expected"), [("True", 1), ("False", 0), ("Unknown", 0)])
def test_a_connection_is_up_when_it_is_reachable(status: str, expected: float) -> None:
    metrics = show(thing("OpenSearchConnection", "os", ("Reachable", status, "x"), ("Ready", "False", "y")))
    assert value(metrics, "opensearch_ml_connection_up", namespace="team", name="os") == expected


def test_only_connections_are_up_or_down() -> None:
    metrics = show(thing("RemoteModel", "a", ("Ready", "True", "Succeeded")))
    assert value(metrics, "opensearch_ml_connection_up", namespace="team", name="a") is None


def test_orphans_are_counted_by_connection() -> None:
    metrics = show(thing("OpenSearchConnection", "a", orphanCount=2), thing("OpenSearchConnection", "b"))
    assert value(metrics, "opensearch_ml_orphans", namespace="team", connection="a") == 2
    assert value(metrics, "opensearch_ml_orphans", namespace="team", connection="b") == 0


def test_orphans_that_were_deleted_are_counted_by_connection_and_type() -> None:
    metrics = Metrics()
    metrics.orphan_deleted(CONNECTION, "model")
    owner = {"namespace": "team", "connection": "os"}
    assert value(metrics, "opensearch_ml_orphans_deleted_total", type="model", **owner) == 1


@pytest.mark.parametrize("type_", ["Synced", "Deletable"])
def test_creates_without_a_clear_answer_are_counted(type_: str) -> None:
    metrics = show(
        thing("RemoteModel", "a", (type_, "False", "WaitingForUnresolvedCreate")),
        thing("RemoteModel", "b", (type_, "False", "Creating")),
        thing("MLConnector", "c", (type_, "False", "Creating")),
    )
    name = "opensearch_ml_creates_unresolved"
    assert value(metrics, name, kind="RemoteModel", namespace="team") == 1
    assert value(metrics, name, kind="MLConnector", namespace="team") == 0


def test_the_queue_and_the_gates_are_shown_as_they_are() -> None:
    metrics = Metrics()
    vitals = Vitals(waiting=3, planned=5, processing=2, oldest_wait=1.5, since_beat=0.0, healthy=True)
    metrics.show(
        Sources(tuple, lambda: vitals, lambda: [(CONNECTION, "deploy", 3, 4)], lambda: [(CONNECTION, NOW)])
    )
    assert value(metrics, "opensearch_ml_queue_depth") == 3
    assert value(metrics, "opensearch_ml_queue_planned") == 5
    assert value(metrics, "opensearch_ml_queue_oldest_seconds") == 1.5
    gate = {"namespace": "team", "connection": "os", "gate": "deploy"}
    assert value(metrics, "opensearch_ml_gate_in_flight", **gate) == 3
    assert value(metrics, "opensearch_ml_gate_limit", **gate) == 4
    expiry = "opensearch_ml_connection_certificate_expiry_timestamp_seconds"
    assert value(metrics, expiry, namespace="team", name="os") == NOW


def test_the_leader_and_the_lag_of_the_event_loop_are_shown() -> None:
    metrics = Metrics()
    metrics.leading("lease", leads=True)
    assert value(metrics, "leader_election_master_status", name="lease") == 1
    metrics.leading("lease", leads=False)
    assert value(metrics, "leader_election_master_status", name="lease") == 0
    metrics.loop_lag(0.25)
    assert value(metrics, "opensearch_ml_event_loop_lag_seconds_sum") == 0.25


@pytest.mark.parametrize("status", [{"conditions": None}, {"conditions": "x", "id": None}, {"id": ["x"]}])
def test_no_status_is_so_strange_that_a_scrape_fails(status: dict[str, Any]) -> None:
    body = {"metadata": {"namespace": "team", "name": "a"}, "status": status}
    assert b'name="a"' in show(Snapshot.parse("OpenSearchConnection", body)).scrape()()


def test_every_metric_has_a_help_text_and_a_unit_by_the_rules() -> None:
    metrics = show(thing("OpenSearchConnection", "os", ("Reachable", "True", "Succeeded")))
    families = list(text_string_to_metric_families(metrics.scrape()().decode()))
    assert {"python_info", "process_cpu_seconds", "python_gc_collections"} <= {each.name for each in families}
    for family in families:
        assert family.documentation, family.name
        assert not family.name.endswith(("_ms", "_created", "_milliseconds")), family.name
        assert family.name.startswith(("opensearch_ml_", "leader_election_", "process_", "python_")), (
            family.name
        )


def test_two_operators_in_one_process_do_not_share_their_counts() -> None:
    first, second = Metrics(), Metrics()
    first.run_ended(MODEL, RunResult.SUCCESS, 0.1)
    assert value(second, "opensearch_ml_reconcile_total", kind="RemoteModel", result="success") is None
