from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.engine.workers import RunResult
from opensearch_ml_operator.facts import Facts
from opensearch_ml_operator.fleet import Sources
from opensearch_ml_operator.metrics import Metrics
from opensearch_ml_operator.models.snapshot import Snapshot
from support.scrape import IDLE, MODEL, NOW, OWNER, show, thing, value

CREATED = {"creationTimestamp": "2027-01-15T07:59:30Z"}
"""Half a minute before NOW."""


def test_each_condition_is_shown_with_its_present_status() -> None:
    metrics = show(thing("RemoteModel", "a", ("Ready", "False", "x"), ("Stalled", "True", "x")))
    name = "opensearch_ml_resource_condition"
    assert value(metrics, name, type="Ready", status="False", **OWNER) == 1
    assert value(metrics, name, type="Ready", status="True", **OWNER) is None
    assert value(metrics, name, type="Stalled", status="True", **OWNER) == 1


@pytest.mark.parametrize(("spec", "expected"), [({"suspend": True}, 1), ({}, 0)])
def test_a_suspended_resource_shows(spec: dict[str, Any], expected: float) -> None:
    metrics = show(thing("RemoteModel", "a", spec=spec))
    assert value(metrics, "opensearch_ml_resource_suspended", **OWNER) == expected


def test_since_when_a_deletion_is_under_way_shows() -> None:
    leaving = thing("RemoteModel", "a", metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"})
    name = "opensearch_ml_resource_deletion_timestamp_seconds"
    assert value(show(leaving), name, **OWNER) == NOW
    assert value(show(MODEL), name, **OWNER) is None


def test_what_the_last_health_check_found_shows() -> None:
    metrics = show(thing("OpenSearchConnection", "os", version="3.6.0", distribution="opensearch"))
    labels = {"opensearch_version": "3.6.0", "distribution": "opensearch"}
    assert value(metrics, "opensearch_ml_connection_info", namespace="team", name="os", **labels) == 1


def test_the_nodes_of_a_model_that_is_to_be_deployed_show() -> None:
    workers = {"planned": 3, "current": 2}
    place = {"namespace": "team", "name": "a"}
    metrics = show(thing("RemoteModel", "a", workers=workers))
    assert value(metrics, "opensearch_ml_model_nodes_planned", **place) == 3
    assert value(metrics, "opensearch_ml_model_nodes_deployed", **place) == 2
    at_rest = show(thing("RemoteModel", "a", workers=workers, spec={"deploy": False}))
    assert value(at_rest, "opensearch_ml_model_nodes_planned", **place) is None


@pytest.mark.parametrize(("conditions", "expected"), [("True", 1), ("False", 0), (None, None)])
def test_a_probed_model_answers_or_not(conditions: str | None, expected: float | None) -> None:
    given = (("Healthy", conditions, "x"),) if conditions else ()
    metrics = show(thing("RemoteModel", "a", *given))
    assert value(metrics, "opensearch_ml_model_probe_success", namespace="team", name="a") == expected


def test_unfinished_tasks_are_counted() -> None:
    running, done = {"type": "Deploy", "id": "1"}, {"type": "Deploy", "id": "2", "finishedAt": "x"}
    metrics = show(
        thing("RemoteModel", "a", tasks=[running, done]), thing("RemoteModel", "b", tasks=[running])
    )
    assert value(metrics, "opensearch_ml_tasks_in_flight", task_type="Deploy") == 2
    assert value(metrics, "opensearch_ml_tasks_in_flight", task_type="Register") == 0


def test_a_task_is_timed_once_when_its_end_is_written() -> None:
    metrics = show()
    task = {"type": "Deploy", "id": "1", "state": "RUNNING", "startedAt": "2027-01-15T08:00:00Z"}
    done = {**task, "state": "COMPLETED", "finishedAt": "2027-01-15T08:00:07Z"}
    before, after = thing("RemoteModel", "a", tasks=[task]), thing("RemoteModel", "a", tasks=[done])
    metrics.changed(None, after)  # found by a listing: told by the process before
    metrics.changed(before, before)
    metrics.changed(before, after)
    metrics.changed(after, after)
    labels = {"task_type": "Deploy", "result": "COMPLETED"}
    assert value(metrics, "opensearch_ml_task_duration_seconds_count", **labels) == 1
    assert value(metrics, "opensearch_ml_task_duration_seconds_sum", **labels) == 7


class Life:
    """Runs and writes of one model, by a clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW
        self.metrics = Metrics(now=lambda: self.now)

    def run(self, *, generation: int, observed: int = -1, ready: str = "False") -> None:
        metadata = {"generation": generation, **CREATED}
        before = thing("RemoteModel", "a", metadata=metadata, observedGeneration=observed)
        self.metrics.run_started(before)
        self.now += 2
        self.write(generation=generation, ready=ready)

    def write(self, *, generation: int, ready: str) -> None:
        metadata = {"generation": generation, **CREATED}
        after = thing(
            "RemoteModel", "a", ("Ready", ready, "x"), metadata=metadata, observedGeneration=generation
        )
        self.metrics.changed(None, after)

    def times(self) -> tuple[float | None, float | None]:
        name = "opensearch_ml_time_to_ready_seconds"
        return (
            value(self.metrics, f"{name}_count", kind="RemoteModel"),
            value(self.metrics, f"{name}_sum", kind="RemoteModel"),
        )


def test_the_time_to_ready_of_a_new_resource_begins_with_its_creation() -> None:
    life = Life()
    life.run(generation=1)
    assert life.times() == (None, None)
    life.run(generation=1, observed=1, ready="True")
    life.write(generation=1, ready="True")
    assert life.times() == (1, 34)


def test_the_time_to_ready_of_a_change_begins_with_the_first_run_for_it() -> None:
    life = Life()
    life.run(generation=2, observed=1)
    life.run(generation=2, observed=2, ready="True")
    assert life.times() == (1, 4)


def test_what_was_ready_before_is_not_timed() -> None:
    life = Life()
    life.run(generation=1, observed=1, ready="True")
    assert life.times() == (None, None)


@pytest.mark.parametrize(
    ("result", "expected"), [(RunResult.SUCCESS, NOW), (RunResult.TRANSIENT_ERROR, None)]
)
def test_the_last_run_without_an_error_is_remembered(result: RunResult, expected: float | None) -> None:
    metrics = show(MODEL)
    metrics.run_started(MODEL)
    metrics.run_ended(MODEL, result, 0.1)
    assert value(metrics, "opensearch_ml_resource_last_success_timestamp_seconds", **OWNER) == expected


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        ("DriftCorrected", {"drift_detected", "drift_corrected"}),
        ("DriftDetected", {"drift_detected"}),
        ("DriftLoop", {"drift_detected"}),
        ("CredentialsRotated", {"credentials_rotated"}),
        ("Updated", set()),
    ],
)
def test_events_that_matter_are_counted(reason: str, counted: set[str]) -> None:
    metrics = show(MODEL)
    metrics.event(MODEL, reason)
    names = ("drift_detected", "drift_corrected", "credentials_rotated")
    found = {name for name in names if value(metrics, f"opensearch_ml_{name}_total", **OWNER) == 1}
    assert found == counted


def test_what_was_remembered_of_an_object_goes_with_it() -> None:
    objects: list[Snapshot] = [MODEL]
    metrics = Metrics()
    metrics.show(Sources(lambda: objects, lambda: IDLE))
    metrics.event(MODEL, "DriftCorrected")
    name = "opensearch_ml_drift_corrected_total"
    assert value(metrics, name, **OWNER) == 1
    objects[:] = [thing("RemoteModel", "a", metadata={"uid": "another"})]
    assert value(metrics, name, **OWNER) is None
    objects[:] = [MODEL]
    assert value(metrics, name, **OWNER) is None


def test_of_each_version_of_an_object_the_facts_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    of = Facts.of

    def reading(snapshot: Snapshot) -> Facts:
        read.append(snapshot.resource_version)
        return of(snapshot)

    monkeypatch.setattr(Facts, "of", reading)
    objects = [thing("RemoteModel", "a", ("Ready", "False", "x"), metadata={"resourceVersion": "1"})]
    metrics = Metrics()
    metrics.show(Sources(lambda: objects, lambda: IDLE))
    for _ in range(3):
        metrics.scrape()()
    assert read == ["1"]
    objects[:] = [thing("RemoteModel", "a", ("Ready", "True", "x"), metadata={"resourceVersion": "2"})]
    labels = {**OWNER, "type": "Ready", "status": "True"}
    assert value(metrics, "opensearch_ml_resource_condition", **labels) == 1
    assert read == ["1", "2"]


def test_a_scrape_shows_one_moment() -> None:
    objects: list[Snapshot] = [MODEL]
    metrics = Metrics()
    metrics.show(Sources(lambda: objects, lambda: IDLE))
    write = metrics.scrape()
    objects.clear()
    assert b'name="a"' in write()
