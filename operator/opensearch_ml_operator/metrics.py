"""What Prometheus is told. The names are an interface: dashboards and alerts are built on them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from . import __version__
from .constants import ConditionType
from .engine.controller import Vitals
from .engine.summary import condition
from .engine.workers import RunResult
from .kube.targets import Target
from .models.snapshot import ObjectKey, Snapshot
from .opensearch.operations import Operation

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RUN_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts what happens, in a registry of its own; told by the engine and by both borders."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
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
            ("operation",),
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )
        self._kubernetes = CounterMetric(
            "opensearch_ml_kubernetes_requests",
            "Requests to the API server, without kopf's own; `code` is 0 when there was no answer.",
            ("method", "resource", "subresource", "code"),
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
        self._request_seconds.labels(operation.value).observe(seconds)

    def kubernetes_request(self, method: str, target: Target, status: int, seconds: float) -> None:
        """Count a request to the API server."""
        del seconds
        labels = (method, target.resource.plural, target.subresource or "", str(status))
        self._kubernetes.labels(*labels).inc()

    def leading(self, name: str, *, leads: bool) -> None:
        """Show whether this process holds the Lease."""
        self._leading.labels(name).set(int(leads))

    def show(self, objects: Callable[[], Iterable[Snapshot]], vitals: Callable[[], Vitals]) -> None:
        """Show the engine's objects and its queue, as they are at each scrape."""
        self._registry.register(_Fleet(objects, vitals))

    def scrape(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Fleet(Collector):
    """Computed at each scrape: an object that is gone leaves no series behind."""

    def __init__(self, objects: Callable[[], Iterable[Snapshot]], vitals: Callable[[], Vitals]) -> None:
        self._objects = objects
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        """Return the gauges of the objects and of the queue."""
        return (*self._resources(), *self._queue())

    def _resources(self) -> Iterable[Metric]:
        counts: Counter[tuple[str, str, str]] = Counter()
        up = GaugeMetricFamily(
            "opensearch_ml_connection_up",
            "Whether the last health check succeeded.",
            labels=("namespace", "name"),
        )
        reasons = GaugeMetricFamily(
            "opensearch_ml_resource_info",
            "One for each resource, with the reason of its Ready condition.",
            labels=("kind", "namespace", "name", "external_id", "ready", "reason"),
        )
        for snapshot in self._objects():
            ready = condition(snapshot, ConditionType.READY)
            status, reason = str(ready.get("status", "Unknown")), str(ready.get("reason", ""))
            key = snapshot.key
            counts[key.kind, key.namespace, status] += 1
            id_ = str(snapshot.status.get("id", ""))
            reasons.add_metric((key.kind, key.namespace, key.name, id_, status, reason), 1)
            if key.kind == "OpenSearchConnection":
                up.add_metric((key.namespace, key.name), float(status == "True"))
        resources = GaugeMetricFamily(
            "opensearch_ml_resources",
            "Number of resources by the status of their Ready condition.",
            labels=("kind", "namespace", "ready"),
        )
        for labels, count in counts.items():
            resources.add_metric(labels, count)
        return resources, reasons, up

    def _queue(self) -> Iterable[Metric]:
        vitals = self._vitals()
        depth = GaugeMetricFamily("opensearch_ml_queue_depth", "Objects that wait for a run.")
        depth.add_metric((), vitals.waiting)
        oldest = GaugeMetricFamily("opensearch_ml_queue_oldest_seconds", "How long the oldest of them waits.")
        oldest.add_metric((), vitals.oldest_wait)
        return depth, oldest
