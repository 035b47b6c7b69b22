"""What Prometheus is told. The names are an interface: dashboards and alerts are built on them."""

from __future__ import annotations

import platform
import time
import zlib
from collections.abc import Callable
from importlib.metadata import version
from itertools import chain
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from . import __version__
from .constants import ConditionType, Reason
from .engine.workers import RunResult
from .facts import tasks_of
from .fleet import Fleet, History, Sources
from .kube.targets import Target
from .models.snapshot import ObjectKey, Snapshot
from .opensearch.operations import Operation
from .reconcilers.records import moment

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RUN_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
_READY_BUCKETS: Final = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_TASK_BUCKETS: Final = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_GZIP: Final = 31
"""What zlib takes for the window of 15 bits, with the header of gzip."""
_FOUND: Final = frozenset({"DriftCorrected", Reason.DRIFT_DETECTED, Reason.DRIFT_LOOP})
"""The Events that tell of a change that somebody else made."""


class Metrics:
    """Counts what happens, in a registry of its own; told by the engine and by both borders.

    `now` is the time in seconds since 1970.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._histories: dict[ObjectKey, History] = {}
        self._sources: Sources | None = None
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
        self._runs = Counter(
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
        self._ready_seconds = Histogram(
            "opensearch_ml_time_to_ready_seconds",
            "From the creation of a resource, or the first run for its new spec, until it is Ready.",
            ("kind",),
            buckets=_READY_BUCKETS,
            registry=self._registry,
        )
        self._task_seconds = Histogram(
            "opensearch_ml_task_duration_seconds",
            "From the start of a task of OpenSearch until its end was seen.",
            ("task_type", "result"),
            buckets=_TASK_BUCKETS,
            registry=self._registry,
        )
        self._requests = Counter(
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
        self._orphans_deleted = Counter(
            "opensearch_ml_orphans_deleted",
            "Objects without a resource that were deleted in OpenSearch.",
            ("namespace", "connection", "type"),
            registry=self._registry,
        )
        self._kubernetes = Counter(
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

    def run_started(self, snapshot: Snapshot) -> None:
        """Note that a reconciler was called."""
        self._running.labels(snapshot.key.kind).inc()
        history = self._history(snapshot)
        if snapshot.deleting or history.observed == snapshot.generation:
            return
        if snapshot.status.get("observedGeneration") == snapshot.generation:
            history.observed = snapshot.generation
        elif history.generation != snapshot.generation:
            created = moment(snapshot.created) if snapshot.generation == 1 else None
            history.generation = snapshot.generation
            history.since = created.timestamp() if created is not None else self._now()

    def run_ended(self, snapshot: Snapshot, result: RunResult, seconds: float) -> None:
        """Note that it returned, raised, or was cut off."""
        kind = snapshot.key.kind
        self._running.labels(kind).dec()
        self._runs.labels(kind, result.value).inc()
        self._run_seconds.labels(kind).observe(seconds)
        if result is RunResult.SUCCESS:
            self._history(snapshot).last_success = self._now()

    def changed(self, before: Snapshot | None, after: Snapshot) -> None:
        """Note what a status says that the version before did not."""
        history = self._histories.get(after.key)
        if history is not None and history.uid == after.uid and _is_ready(after, history.generation):
            history.generation = None
            self._ready_seconds.labels(after.key.kind).observe(max(self._now() - history.since, 0.0))
        known = {task.get("id") for task in tasks_of(before) if task.get("finishedAt")} if before else set()
        for task in tasks_of(after):
            begun, ended = moment(task.get("startedAt")), moment(task.get("finishedAt"))
            if before is not None and task.get("id") not in known and begun is not None and ended is not None:
                labels = str(task.get("type")), str(task.get("state"))
                self._task_seconds.labels(*labels).observe(max((ended - begun).total_seconds(), 0.0))

    def event(self, snapshot: Snapshot, reason: str) -> None:
        """Count what an Event about the object tells, if there is a counter for it."""
        history = self._history(snapshot)
        history.drift_detected += reason in _FOUND
        history.drift_corrected += reason == "DriftCorrected"
        history.credentials_rotated += reason == "CredentialsRotated"

    def opensearch_request(self, key: ObjectKey, operation: Operation, code: str, seconds: float) -> None:
        """Count a request to OpenSearch."""
        self._requests.labels(key.namespace, key.name, operation.value, code).inc()
        self._request_seconds.labels(key.namespace, key.name, operation.value).observe(seconds)

    def orphan_deleted(self, key: ObjectKey, type_: str) -> None:
        """Count an orphan of a connection that is gone: a model, connector or group."""
        self._orphans_deleted.labels(key.namespace, key.name, type_).inc()

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

    def show(self, sources: Sources) -> None:
        """Show the engine's objects and queue and the connections' state, as they are at each scrape."""
        self._sources = sources

    def scrape(self, *, packed: bool = False) -> Callable[[], bytes]:
        """Take in how things are; what is returned writes that in Prometheus' text format, in any thread.

        `packed` is what HTTP calls gzip: a twentieth of the size.
        """
        fleet = Fleet.look(self._sources, self._histories) if self._sources is not None else None

        def write() -> bytes:
            blocks = chain((generate_latest(self._registry),), fleet.write() if fleet is not None else ())
            if not packed:
                return b"".join(blocks)
            packer = zlib.compressobj(level=1, wbits=_GZIP)
            return b"".join([*map(packer.compress, blocks), packer.flush()])

        return write

    def _history(self, snapshot: Snapshot) -> History:
        history = self._histories.get(snapshot.key)
        if history is None or history.uid != snapshot.uid:
            history = self._histories[snapshot.key] = History(snapshot.uid)
        return history


def _is_ready(snapshot: Snapshot, generation: int | None) -> bool:
    ready = snapshot.condition(ConditionType.READY)
    return (
        generation == snapshot.generation == snapshot.status.get("observedGeneration")
        and ready.get("status") == "True"
    )
