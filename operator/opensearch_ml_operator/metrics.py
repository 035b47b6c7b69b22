"""What Prometheus is told. The names are an interface: dashboards and alerts are built on them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Final, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from . import __version__
from .constants import ConditionType, Reason
from .engine.controller import Vitals
from .engine.summary import condition
from .engine.workers import RunResult
from .kube.targets import Target
from .models.snapshot import ObjectKey, Snapshot
from .opensearch.operations import Operation

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RUN_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CONNECTIONS: Final = frozenset({"OpenSearchConnection", "ClusterOpenSearchConnection"})
_LAG_BUCKETS: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)

GateLoad: TypeAlias = tuple[ObjectKey, str, int]
"""Connection, name of the gate, how many are inside."""


class Metrics:
    """Counts what happens, in a registry of its own; told by the engine and by both borders."""

    def __init__(self) -> None:
        # Else each counter has a second series with its time of birth, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        info = Gauge(
            "opensearch_ml_operator_info",
            "Which operator this is.",
            ("version", "python", "kopf"),
            registry=self._registry,
        )
        info.labels(__version__, platform.python_version(), version("kopf")).set(1)
        self._runs = CounterMetric(
            "opensearch_ml_reconcile",
            "Runs of the reconcilers.",
            ("kind", "result"),
            registry=self._registry,
        )
        self._run_seconds = Histogram(
            "opensearch_ml_reconcile_duration_seconds",
            "How long the runs took.",
            ("kind",),
            buckets=_RUN_BUCKETS,
            registry=self._registry,
        )
        self._running = Gauge(
            "opensearch_ml_reconcile_in_progress", "Runs under way.", ("kind",), registry=self._registry
        )
        self._requests = CounterMetric(
            "opensearch_ml_http_requests",
            "Requests to OpenSearch; `code` is the HTTP status, or why there was none.",
            ("namespace", "connection", "operation", "code"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "opensearch_ml_http_request_duration_seconds",
            "How long OpenSearch took to answer.",
            ("namespace", "connection", "operation"),
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )
        self._kubernetes = CounterMetric(
            "opensearch_ml_kubernetes_requests",
            "Requests to the API server, without kopf's own; `code` is 0 when there was no answer.",
            ("method", "resource", "subresource", "code"),
            registry=self._registry,
        )
        self._lag = Histogram(
            "opensearch_ml_event_loop_lag_seconds",
            "How late the event loop is, looked at once a second.",
            buckets=_LAG_BUCKETS,
            registry=self._registry,
        )
        self._leading = Gauge(
            "leader_election_master_status", "Whether this process leads.", ("name",), registry=self._registry
        )

    def run_started(self, kind: str) -> None:
        """Note that a reconciler was called."""
        self._running.labels(kind).inc()

    def run_ended(self, kind: str, result: RunResult, seconds: float) -> None:
        """Note that it returned, raised, or was cut off."""
        self._running.labels(kind).dec()
        self._runs.labels(kind, result.value).inc()
        self._run_seconds.labels(kind).observe(seconds)

    def opensearch_request(self, key: ObjectKey, operation: Operation, code: str, seconds: float) -> None:
        """Count a request to OpenSearch."""
        self._requests.labels(key.namespace, key.name, operation.value, code).inc()
        self._request_seconds.labels(key.namespace, key.name, operation.value).observe(seconds)

    def kubernetes_request(self, method: str, target: Target, status: int, seconds: float) -> None:
        """Count a request to the API server."""
        del seconds
        labels = (method, target.resource.plural, target.subresource or "", str(status))
        self._kubernetes.labels(*labels).inc()

    def loop_lag(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._lag.observe(seconds)

    def leading(self, name: str, *, leads: bool) -> None:
        """Show whether this process holds the Lease."""
        self._leading.labels(name).set(int(leads))

    def show(
        self,
        objects: Callable[[], Iterable[Snapshot]],
        vitals: Callable[[], Vitals],
        gates: Callable[[], Iterable[GateLoad]] = tuple,
    ) -> None:
        """Show the engine's objects and queue and the connections' gates, as they are at each scrape."""
        self._registry.register(_Fleet(objects, vitals, gates))

    def scrape(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Fleet(Collector):
    """Computed at each scrape: an object that is gone leaves no series behind."""

    def __init__(
        self,
        objects: Callable[[], Iterable[Snapshot]],
        vitals: Callable[[], Vitals],
        gates: Callable[[], Iterable[GateLoad]],
    ) -> None:
        self._objects = objects
        self._vitals = vitals
        self._gates = gates

    def collect(self) -> Iterable[Metric]:
        """Return the gauges of the objects, the queue and the gates."""
        return (*self._resources(), *self._queue(), self._gate_loads())

    def _resources(self) -> Iterable[Metric]:
        info = _gauge(
            "resource_info",
            "One for each resource, with the reason of its Ready condition.",
            ("kind", "namespace", "name", "external_id", "ready", "reason"),
        )
        up = _gauge("connection_up", "Whether the last health check succeeded.", ("namespace", "name"))
        orphans = _gauge(
            "orphans",
            "Objects in OpenSearch that were made through the connection and have no resource.",
            ("namespace", "connection"),
        )
        counts: Counter[tuple[str, str, str, str]] = Counter()
        unresolved: Counter[tuple[str, str]] = Counter()
        for snapshot in self._objects():
            key = snapshot.key
            ready = condition(snapshot, ConditionType.READY)
            status, reason = str(ready.get("status") or "Unknown"), str(ready.get("reason") or "")
            external_id = str(snapshot.status.get("id") or "")
            info.add_metric((key.kind, key.namespace, key.name, external_id, status, reason), 1)
            counts[key.kind, key.namespace, status, reason] += 1
            unresolved[key.kind, key.namespace] += _waits_for_create(snapshot)
            if key.kind in _CONNECTIONS:
                reachable = condition(snapshot, ConditionType.REACHABLE).get("status") == "True"
                up.add_metric((key.namespace, key.name), float(reachable))
                orphans.add_metric((key.namespace, key.name), snapshot.status.get("orphanCount") or 0)
        resources = _gauge(
            "resources",
            "Number of resources by their Ready condition.",
            ("kind", "namespace", "ready", "reason"),
        )
        creates = _gauge(
            "creates_unresolved",
            "Resources that wait because a create got no clear answer and may still be carried out.",
            ("kind", "namespace"),
        )
        for labels, count in counts.items():
            resources.add_metric(labels, count)
        for owner, count in unresolved.items():
            creates.add_metric(owner, count)
        return resources, info, up, creates, orphans

    def _queue(self) -> Iterable[Metric]:
        vitals = self._vitals()
        for name, text, value in (
            ("queue_depth", "Objects that wait for a run.", vitals.waiting),
            ("queue_planned", "Objects that are due for a run later.", vitals.planned),
            ("queue_oldest_seconds", "How long the oldest of the waiting objects waits.", vitals.oldest_wait),
        ):
            gauge = _gauge(name, text, ())
            gauge.add_metric((), value)
            yield gauge

    def _gate_loads(self) -> Metric:
        gauge = _gauge(
            "gate_in_flight",
            "Registers, deploys and probes that the connection's cluster works on.",
            ("namespace", "connection", "gate"),
        )
        for key, gate, inside in self._gates():
            gauge.add_metric((key.namespace, key.name, gate), inside)
        return gauge


def _gauge(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"opensearch_ml_{name}", text, labels=labels)


def _waits_for_create(snapshot: Snapshot) -> bool:
    reasons = (
        condition(snapshot, each).get("reason") for each in (ConditionType.SYNCED, ConditionType.DELETABLE)
    )
    return Reason.WAITING_FOR_UNRESOLVED_CREATE in reasons
