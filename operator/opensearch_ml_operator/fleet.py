"""What Prometheus is told of the objects: computed at each scrape, so what is gone leaves no series behind.

With 10,000 objects that takes more than a second: a scrape is one look, and a page written from it elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .constants import ConditionType, Reason
from .engine.controller import Vitals
from .models.snapshot import ObjectKey, Snapshot
from .reconcilers.records import moment

PREFIX: Final = "opensearch_ml_"
_CONNECTIONS: Final = frozenset({"OpenSearchConnection", "ClusterOpenSearchConnection"})
_MODEL: Final = "RemoteModel"

GateLoad: TypeAlias = tuple[ObjectKey, str, int, int]
"""Connection, name of the gate, how many are inside, how many may be by now."""
Expiry: TypeAlias = tuple[ObjectKey, float]
"""Connection, and until when the cluster's certificate is good, in seconds since 1970."""


@dataclass(slots=True)
class History:
    """What the process remembers of one object, because no status says it."""

    uid: str = ""
    last_success: float | None = None
    """When a run last did all that it wanted to, in seconds since 1970."""
    observed: int | None = None
    """The version of the spec that a status was seen to be about."""
    generation: int | None = None
    """The version of the spec that is being made true."""
    since: float = 0.0
    """When that began, in seconds since 1970."""
    drift_detected: int = 0
    drift_corrected: int = 0
    credentials_rotated: int = 0


Record: TypeAlias = tuple[ObjectKey, History]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from; each is asked at each scrape."""

    objects: Callable[[], Iterable[Snapshot]]
    vitals: Callable[[], Vitals]
    gates: Callable[[], Iterable[GateLoad]] = tuple
    certificates: Callable[[], Iterable[Expiry]] = tuple


@dataclass(frozen=True, slots=True, eq=False)
class Fleet(Collector):
    """What is to be told, as it was at one moment: it may be written down in another thread."""

    objects: tuple[Snapshot, ...]
    records: tuple[Record, ...]
    vitals: Vitals
    gates: tuple[GateLoad, ...]
    certificates: tuple[Expiry, ...]

    @classmethod
    def look(cls, sources: Sources, histories: dict[ObjectKey, History]) -> Self:
        """Take everything in, and drop what is remembered of objects that are gone.

        Also of those whose name another one has by now.
        """
        objects = tuple(sources.objects())
        living = {snapshot.key: snapshot.uid for snapshot in objects}
        for key in [key for key, history in histories.items() if living.get(key) != history.uid]:
            del histories[key]
        return cls(
            objects=objects,
            records=tuple((key, replace(history)) for key, history in histories.items()),
            vitals=sources.vitals(),
            gates=tuple(sources.gates()),
            certificates=tuple(sources.certificates()),
        )

    def collect(self) -> Iterator[Metric]:
        """Return the gauges of objects, queue and connections, and the counters of one object each."""
        yield from _Sheet(self.objects).families()
        yield from self._remembered()
        yield from self._queue()
        yield from self._connections()

    def _remembered(self) -> Iterator[Metric]:
        success = _gauge(
            "resource_last_success_timestamp_seconds",
            "When a run for the resource last came to its end without an error, in this process.",
            "kind namespace name",
        )
        detected = _counter("drift_detected", "Differences found that somebody else had made.")
        corrected = _counter("drift_corrected", "Differences put back that somebody else had made.")
        rotated = _counter("credentials_rotated", "New credentials of a Secret sent to OpenSearch.")
        for key, history in self.records:
            owner = (key.kind, key.namespace, key.name)
            if history.last_success is not None:
                success.add_metric(owner, history.last_success)
            for family, count in (
                (detected, history.drift_detected),
                (corrected, history.drift_corrected),
                (rotated, history.credentials_rotated),
            ):
                if count:
                    family.add_metric(owner, count)
        return iter((success, detected, corrected, rotated))

    def _queue(self) -> Iterator[Metric]:
        for name, text, value in (
            ("queue_depth", "Objects that wait for a run.", self.vitals.waiting),
            ("queue_planned", "Objects that are due for a run later.", self.vitals.planned),
            (
                "queue_oldest_seconds",
                "How long the oldest of the waiting objects waits.",
                self.vitals.oldest_wait,
            ),
        ):
            gauge = _gauge(name, text, "")
            gauge.add_metric((), value)
            yield gauge

    def _connections(self) -> Iterator[Metric]:
        loads = _gauge(
            "gate_in_flight",
            "Groups, registers, deploys, probes and changes of settings that the cluster works on.",
            "namespace connection gate",
        )
        limits = _gauge(
            "gate_limit",
            "How many of these the cluster is asked to work on side by side; halved when it is in trouble.",
            "namespace connection gate",
        )
        for key, gate, inside, limit in self.gates:
            loads.add_metric((key.namespace, key.name, gate), inside)
            limits.add_metric((key.namespace, key.name, gate), limit)
        expiry = _gauge(
            "connection_certificate_expiry_timestamp_seconds",
            "When the certificate ends that the cluster showed at the last health check.",
            "namespace name",
        )
        for key, end in self.certificates:
            expiry.add_metric((key.namespace, key.name), end)
        return iter((loads, limits, expiry))


class _Sheet:
    """One scrape's worth of gauges that are read off the objects."""

    def __init__(self, objects: Iterable[Snapshot]) -> None:
        owner = "kind namespace name"
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._unresolved: Counter[tuple[str, str]] = Counter()
        self._tasks: Counter[str] = Counter(dict.fromkeys(("Register", "Deploy", "Undeploy"), 0))
        self._info = _gauge(
            "resource_info",
            "One for each resource, with the reason of its Ready condition.",
            f"{owner} connection external_id ready reason",
        )
        self._condition = _gauge(
            "resource_condition", "One for each condition, with its present status.", f"{owner} type status"
        )
        self._suspended = _gauge("resource_suspended", "Whether spec.suspend is true.", owner)
        self._deletion = _gauge(
            "resource_deletion_timestamp_seconds", "When the deletion was asked for that is under way.", owner
        )
        self._up = _gauge("connection_up", "Whether the last health check succeeded.", "namespace name")
        self._orphans = _gauge(
            "orphans",
            "Objects in OpenSearch that were made through the connection and have no resource.",
            "namespace connection",
        )
        self._cluster = _gauge(
            "connection_info",
            "One for each connection that a cluster has answered.",
            "namespace name opensearch_version distribution",
        )
        self._planned = _gauge("model_nodes_planned", "Nodes that should hold the model.", "namespace name")
        self._deployed = _gauge("model_nodes_deployed", "Nodes that hold the model.", "namespace name")
        self._probe = _gauge(
            "model_probe_success", "Whether the model answers its probes as expected.", "namespace name"
        )
        for snapshot in objects:
            self._add(snapshot.plain())

    def families(self) -> Iterator[Metric]:
        """Return the gauges, with the counts of all objects."""
        resources = _gauge(
            "resources", "Number of resources by their Ready condition.", "kind namespace ready reason"
        )
        for labels, count in self._counts.items():
            resources.add_metric(labels, count)
        creates = _gauge(
            "creates_unresolved",
            "Resources that wait because a create got no clear answer and may still be carried out.",
            "kind namespace",
        )
        for place, count in self._unresolved.items():
            creates.add_metric(place, count)
        tasks = _gauge("tasks_in_flight", "Tasks of OpenSearch whose end is not known yet.", "task_type")
        for type_, count in self._tasks.items():
            tasks.add_metric((type_,), count)
        yield from (resources, creates, tasks, self._info, self._condition, self._suspended, self._deletion)
        yield from (self._up, self._orphans, self._cluster, self._planned, self._deployed, self._probe)

    def _add(self, snapshot: Snapshot) -> None:
        key, status = snapshot.key, snapshot.status
        owner = (key.kind, key.namespace, key.name)
        conditions = snapshot.conditions
        ready = conditions.get(ConditionType.READY, {})
        state, reason = _text(ready, "status") or "Unknown", _text(ready, "reason")
        self._info.add_metric((*owner, _connection(snapshot), _text(status, "id"), state, reason), 1)
        self._counts[key.kind, key.namespace, state, reason] += 1
        self._unresolved[key.kind, key.namespace] += _waits_for_create(conditions)
        for type_ in ConditionType:
            if type_ in conditions and (its := _text(conditions[type_], "status")):
                self._condition.add_metric((*owner, type_, its), 1)
        if snapshot.deleting and (asked := moment(snapshot.deleted)) is not None:
            self._deletion.add_metric(owner, asked.timestamp())
        if key.kind in _CONNECTIONS:
            self._add_connection(snapshot)
        else:
            self._suspended.add_metric(owner, float(snapshot.spec.get("suspend") is True))
        if key.kind == _MODEL:
            self._add_model(snapshot)

    def _add_connection(self, snapshot: Snapshot) -> None:
        place = (snapshot.key.namespace, snapshot.key.name)
        self._up.add_metric(place, float(_is_true(snapshot, ConditionType.REACHABLE)))
        self._orphans.add_metric(place, _number(snapshot.status, "orphanCount"))
        if version := _text(snapshot.status, "version"):
            self._cluster.add_metric((*place, version, _text(snapshot.status, "distribution")), 1)

    def _add_model(self, snapshot: Snapshot) -> None:
        place = (snapshot.key.namespace, snapshot.key.name)
        for task in tasks_of(snapshot):
            self._tasks[_text(task, "type")] += not task.get("finishedAt")
        workers = snapshot.status.get("workers")
        if isinstance(workers, Mapping) and snapshot.spec.get("deploy") is not False:
            self._planned.add_metric(place, _number(workers, "planned"))
            self._deployed.add_metric(place, _number(workers, "current"))
        if snapshot.condition(ConditionType.HEALTHY):
            self._probe.add_metric(place, float(_is_true(snapshot, ConditionType.HEALTHY)))


def tasks_of(snapshot: Snapshot) -> Iterator[Mapping[str, Any]]:
    """Return the tasks in the status; never raises, whatever the status holds."""
    tasks = snapshot.status.get("tasks")
    return (task for task in tasks if isinstance(task, Mapping)) if isinstance(tasks, list) else iter(())


def _is_true(snapshot: Snapshot, type_: ConditionType) -> bool:
    return snapshot.condition(type_).get("status") == "True"


def _connection(snapshot: Snapshot) -> str:
    """Return the connection's name; a model may have it from its connector."""
    ref = snapshot.spec.get("connectionRef")
    named = _text(ref, "name") if isinstance(ref, Mapping) else ""
    return named or _text(snapshot.status, "connection")


def _waits_for_create(conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    decisive = (conditions.get(each, {}) for each in (ConditionType.SYNCED, ConditionType.DELETABLE))
    return any(each.get("reason") == Reason.WAITING_FOR_UNRESOLVED_CREATE for each in decisive)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _number(body: Mapping[str, Any], key: str) -> float:
    value = body.get(key)
    return value if isinstance(value, int | float) else 0


def _gauge(name: str, text: str, labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels.split())


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", text, labels=("kind", "namespace", "name"))
