"""What the metrics tell of one version of an object: read once, because a scrape comes every half minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, Self

from .constants import ConditionType, Reason
from .exposition import labels
from .models.snapshot import Snapshot
from .reconcilers.records import moment
from .reconcilers.references import CONNECTIONS, MODEL


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What is told of connections alone."""

    up: bool
    orphans: float
    cluster: str
    """Labels: which cluster has answered; empty when none has."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbers, and labels as they are written."""

    version: str
    """The resourceVersion that they were read off."""
    ready: str
    reason: str
    info: str
    """Labels: connection, id, and the state of Ready."""
    conditions: tuple[str, ...]
    """Labels: type and status, of each condition that there is."""
    unresolved: bool
    """Whether it waits because a create got no clear answer."""
    deleted: float | None
    """When the deletion was asked for that is under way, in seconds since 1970."""
    suspended: bool
    connection: ConnectionFacts | None = None
    tasks: tuple[str, ...] = ()
    """The types of the tasks whose end is not known yet."""
    nodes: tuple[float, float] | None = None
    """How many nodes should hold the model that is to be deployed, and how many do."""
    answers: bool | None = None
    """Whether the model answers its probes as expected; None when it has none."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Read them off an object; never raises, whatever its status holds."""
        plain = snapshot.plain()
        conditions = plain.conditions
        ready = conditions.get(ConditionType.READY, {})
        state, reason = intern(_text(ready, "status") or "Unknown"), intern(_text(ready, "reason"))
        info = {"connection": _connection(plain), "external_id": _text(plain.status, "id")}
        asked = moment(snapshot.deleted) if snapshot.deleting else None
        model = snapshot.key.kind == MODEL
        return cls(
            version=snapshot.resource_version,
            ready=state,
            reason=reason,
            info=labels(**info, ready=state, reason=reason),
            conditions=tuple(_conditions(conditions)),
            unresolved=_waits_for_create(conditions),
            deleted=asked.timestamp() if asked is not None else None,
            suspended=plain.spec.get("suspend") is True,
            connection=_connection_facts(plain) if snapshot.key.kind in CONNECTIONS else None,
            tasks=tuple(intern(_text(task, "type")) for task in tasks_of(plain) if not task.get("finishedAt"))
            if model
            else (),
            nodes=_nodes(plain) if model else None,
            answers=_is_true(conditions, ConditionType.HEALTHY)
            if model and conditions.get(ConditionType.HEALTHY)
            else None,
        )


def tasks_of(snapshot: Snapshot) -> Iterator[Mapping[str, Any]]:
    """Return the tasks in the status; never raises, whatever the status holds."""
    tasks = snapshot.status.get("tasks")
    return (task for task in tasks if isinstance(task, Mapping)) if isinstance(tasks, list) else iter(())


def _conditions(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for type_ in ConditionType:
        if status := _text(conditions.get(type_, {}), "status"):
            yield intern(labels(type=type_, status=status))


def _connection_facts(snapshot: Snapshot) -> ConnectionFacts:
    version, distribution = _text(snapshot.status, "version"), _text(snapshot.status, "distribution")
    return ConnectionFacts(
        up=_is_true(snapshot.conditions, ConditionType.REACHABLE),
        orphans=_number(snapshot.status, "orphanCount"),
        cluster=labels(opensearch_version=version, distribution=distribution) if version else "",
    )


def _nodes(snapshot: Snapshot) -> tuple[float, float] | None:
    workers = snapshot.status.get("workers")
    if not isinstance(workers, Mapping) or snapshot.spec.get("deploy") is False:
        return None
    return _number(workers, "planned"), _number(workers, "current")


def _is_true(conditions: Mapping[str, Mapping[str, Any]], type_: ConditionType) -> bool:
    return conditions.get(type_, {}).get("status") == "True"


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
