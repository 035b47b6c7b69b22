"""What Prometheus is told of the objects: computed at each scrape, so what is gone leaves no series behind.

A scrape is one look, and a page written from it elsewhere: with 10,000 models that takes its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from . import exposition
from .engine.controller import Vitals
from .exposition import Family, labels
from .facts import Facts
from .models.snapshot import ObjectKey, Snapshot

PREFIX: Final = "opensearch_ml_"

GateLoad: TypeAlias = tuple[ObjectKey, str, int, int]
"""Connection, name of the gate, how many are inside, how many may be by now."""
Expiry: TypeAlias = tuple[ObjectKey, float]
"""Connection, and until when the cluster's certificate is good, in seconds since 1970."""
Sample: TypeAlias = tuple[str, float]
"""Labels as they are written, and a value."""


@dataclass(slots=True)
class History:
    """What the process remembers of one object: what no status says, and what was read off the last one."""

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
    facts: Facts | None = None

    def facts_of(self, snapshot: Snapshot) -> Facts:
        """Return what is to be told of this version; another one is read only when there is one."""
        if self.facts is None or self.facts.version != snapshot.resource_version:
            self.facts = Facts.of(snapshot)
        return self.facts


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from; each is asked at each scrape."""

    objects: Callable[[], Iterable[Snapshot]]
    vitals: Callable[[], Vitals]
    gates: Callable[[], Iterable[GateLoad]] = tuple
    certificates: Callable[[], Iterable[Expiry]] = tuple


@dataclass(frozen=True, slots=True)
class _Row:
    """One object."""

    key: ObjectKey
    owner: str
    """Labels: kind, namespace and name."""
    facts: Facts
    history: History

    @property
    def place(self) -> str:
        """Labels: namespace and name."""
        return labels(namespace=self.key.namespace, name=self.key.name)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is to be told, as it was at one moment: it may be written down in another thread."""

    objects: tuple[tuple[Snapshot, History], ...]
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
        for snapshot in objects:
            if snapshot.key not in histories:
                histories[snapshot.key] = History(snapshot.uid)
        return cls(
            objects=tuple((snapshot, histories[snapshot.key]) for snapshot in objects),
            vitals=sources.vitals(),
            gates=tuple(sources.gates()),
            certificates=tuple(sources.certificates()),
        )

    def write(self) -> Iterator[bytes]:
        """Write it in Prometheus' text format, block by block."""
        return exposition.write(self._families())

    def _families(self) -> Iterator[Family]:
        rows = [
            _Row(key, labels(kind=key.kind, namespace=key.namespace, name=key.name), facts, history)
            for snapshot, history in self.objects
            for key, facts in [(snapshot.key, history.facts_of(snapshot))]
        ]
        yield from _counted(rows)
        yield from _of_all(rows)
        yield from _of_connections(rows)
        yield from _of_models(rows)
        yield from _remembered(rows)
        yield from self._queue()
        yield from self._connections()

    def _queue(self) -> Iterator[Family]:
        vitals = self.vitals
        yield _gauge("queue_depth", "Objects that wait for a run.", [("", vitals.waiting)])
        yield _gauge("queue_planned", "Objects that are due for a run later.", [("", vitals.planned)])
        words = "How long the oldest of the waiting objects waits."
        yield _gauge("queue_oldest_seconds", words, [("", vitals.oldest_wait)])

    def _connections(self) -> Iterator[Family]:
        loads = [
            (labels(namespace=key.namespace, connection=key.name, gate=gate), inside, limit)
            for key, gate, inside, limit in self.gates
        ]
        yield _gauge(
            "gate_in_flight",
            "Groups, registers, deploys, probes and changes of settings that the cluster works on.",
            ((gate, inside) for gate, inside, _ in loads),
        )
        yield _gauge(
            "gate_limit",
            "How many of these the cluster is asked to work on side by side; halved when it is in trouble.",
            ((gate, limit) for gate, _, limit in loads),
        )
        yield _gauge(
            "connection_certificate_expiry_timestamp_seconds",
            "When the certificate ends that the cluster showed at the last health check.",
            ((labels(namespace=key.namespace, name=key.name), end) for key, end in self.certificates),
        )


def _counted(rows: list[_Row]) -> Iterator[Family]:
    states = Counter((row.key.kind, row.key.namespace, row.facts.ready, row.facts.reason) for row in rows)
    yield _gauge(
        "resources",
        "Number of resources by their Ready condition.",
        (
            (labels(kind=kind, namespace=namespace, ready=ready, reason=reason), number)
            for (kind, namespace, ready, reason), number in states.items()
        ),
    )
    unresolved: Counter[tuple[str, str]] = Counter()
    tasks = Counter(dict.fromkeys(("Register", "Deploy", "Undeploy"), 0))
    for row in rows:
        unresolved[row.key.kind, row.key.namespace] += row.facts.unresolved
        tasks.update(row.facts.tasks)
    yield _gauge(
        "creates_unresolved",
        "Resources that wait because a create got no clear answer and may still be carried out.",
        ((labels(kind=kind, namespace=place), number) for (kind, place), number in unresolved.items()),
    )
    yield _gauge(
        "tasks_in_flight",
        "Tasks of OpenSearch whose end is not known yet.",
        ((labels(task_type=type_), number) for type_, number in tasks.items()),
    )


def _of_all(rows: list[_Row]) -> Iterator[Family]:
    yield _gauge(
        "resource_info",
        "One for each resource, with the reason of its Ready condition.",
        ((f"{row.owner},{row.facts.info}", 1) for row in rows),
    )
    yield _gauge(
        "resource_condition",
        "One for each condition, with its present status.",
        ((f"{row.owner},{condition}", 1) for row in rows for condition in row.facts.conditions),
    )
    yield _gauge(
        "resource_suspended",
        "Whether spec.suspend is true.",
        ((row.owner, row.facts.suspended) for row in rows if row.facts.connection is None),
    )
    yield _gauge(
        "resource_deletion_timestamp_seconds",
        "When the deletion was asked for that is under way.",
        ((row.owner, row.facts.deleted) for row in rows if row.facts.deleted is not None),
    )


def _of_connections(rows: list[_Row]) -> Iterator[Family]:
    known = [(row, row.facts.connection) for row in rows if row.facts.connection is not None]
    yield _gauge(
        "connection_up",
        "Whether the last health check succeeded.",
        ((row.place, its.up) for row, its in known),
    )
    yield _gauge(
        "orphans",
        "Objects in OpenSearch that were made through the connection and have no resource.",
        ((labels(namespace=row.key.namespace, connection=row.key.name), its.orphans) for row, its in known),
    )
    yield _gauge(
        "connection_info",
        "One for each connection that a cluster has answered.",
        ((f"{row.place},{its.cluster}", 1) for row, its in known if its.cluster),
    )


def _of_models(rows: list[_Row]) -> Iterator[Family]:
    nodes = [(row.place, row.facts.nodes) for row in rows if row.facts.nodes is not None]
    yield _gauge(
        "model_nodes_planned",
        "Nodes that should hold the model.",
        ((place, planned) for place, (planned, _) in nodes),
    )
    yield _gauge(
        "model_nodes_deployed",
        "Nodes that hold the model.",
        ((place, current) for place, (_, current) in nodes),
    )
    yield _gauge(
        "model_probe_success",
        "Whether the model answers its probes as expected.",
        ((row.place, row.facts.answers) for row in rows if row.facts.answers is not None),
    )


def _remembered(rows: list[_Row]) -> Iterator[Family]:
    yield _gauge(
        "resource_last_success_timestamp_seconds",
        "When a run for the resource last came to its end without an error, in this process.",
        ((row.owner, row.history.last_success) for row in rows if row.history.last_success is not None),
    )
    yield _counter(
        "drift_detected_total",
        "Differences found that somebody else had made.",
        ((row.owner, row.history.drift_detected) for row in rows),
    )
    yield _counter(
        "drift_corrected_total",
        "Differences put back that somebody else had made.",
        ((row.owner, row.history.drift_corrected) for row in rows),
    )
    yield _counter(
        "credentials_rotated_total",
        "New credentials of a Secret sent to OpenSearch.",
        ((row.owner, row.history.credentials_rotated) for row in rows),
    )


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Family:
    return Family(f"{PREFIX}{name}", text, samples)


def _counter(name: str, text: str, samples: Iterable[Sample]) -> Family:
    """Return a counter, of those alone for whom there was something to count."""
    return Family(f"{PREFIX}{name}", text, (sample for sample in samples if sample[1]), type="counter")
