"""Metrics of objects that a test makes up, and how to read them."""

from __future__ import annotations

from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from opensearch_ml_operator.engine.controller import Vitals
from opensearch_ml_operator.engine.workers import RunResult
from opensearch_ml_operator.fleet import Sources
from opensearch_ml_operator.kube.targets import Target, ours
from opensearch_ml_operator.metrics import Metrics
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.opensearch.operations import Operation

NOW: Final = 1_800_000_000.0
CONNECTION: Final = ObjectKey("OpenSearchConnection", "team", "os")
IDLE: Final = Vitals(waiting=0, planned=0, processing=0, oldest_wait=0.0, since_beat=0.0, healthy=True)


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    """Return one sample of a scrape, None when there is no such series."""
    for family in text_string_to_metric_families(metrics.scrape()().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def thing(
    kind: str,
    name: str,
    *conditions: tuple[str, str, str],
    spec: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    **status: Any,
) -> Snapshot:
    entries = [{"type": type_, "status": state, "reason": reason} for type_, state, reason in conditions]
    return Snapshot.parse(
        kind,
        {
            "metadata": {"namespace": "team", "name": name, "uid": name, "generation": 1, **(metadata or {})},
            "spec": spec or {},
            "status": {"conditions": entries, **status},
        },
    )


MODEL = thing("RemoteModel", "a")
OWNER = {"kind": "RemoteModel", "namespace": "team", "name": "a"}


def show(*objects: Snapshot) -> Metrics:
    metrics = Metrics(now=lambda: NOW)
    metrics.show(Sources(lambda: objects, lambda: IDLE))
    return metrics


def everything() -> tuple[Metric, ...]:
    """Return every metric that there is, each with a sample."""
    return tuple(text_string_to_metric_families(exposition()))


def exposition() -> str:
    """Return what Prometheus reads, with a sample of every metric."""
    model = thing(
        "RemoteModel",
        "a",
        ("Ready", "True", "Succeeded"),
        ("Healthy", "True", "Succeeded"),
        metadata={"deletionTimestamp": "2026-11-24T01:02:03Z", "creationTimestamp": "2026-11-24T01:02:03Z"},
        workers={"planned": 3, "current": 3},
        observedGeneration=1,
    )
    task = {"type": "Deploy", "id": "t", "state": "COMPLETED"}
    times = {"startedAt": "2026-11-24T01:02:03Z", "finishedAt": "2026-11-24T01:02:05Z"}
    done = thing("RemoteModel", "b", ("Ready", "True", "x"), observedGeneration=1, tasks=[{**task, **times}])
    metrics = Metrics(now=lambda: NOW)
    sources = Sources(
        lambda: (model, done, thing("OpenSearchConnection", "os", version="3.6.0")),
        lambda: IDLE,
        lambda: [(CONNECTION, "deploy", 1, 4)],
        lambda: [(CONNECTION, NOW)],
    )
    metrics.show(sources)
    metrics.run_started(thing("RemoteModel", "b"))
    metrics.run_ended(done, RunResult.SUCCESS, 0.1)
    metrics.changed(thing("RemoteModel", "b"), done)
    metrics.event(model, "DriftCorrected")
    metrics.event(model, "CredentialsRotated")
    metrics.opensearch_request(CONNECTION, Operation.PREDICT, "200", 0.1)
    metrics.orphan_deleted(CONNECTION, "model")
    metrics.kubernetes_request("GET", Target(ours("remotemodels"), "team", "a"), 200, 0.1)
    metrics.leading("lease", leads=True)
    return metrics.scrape()().decode()
