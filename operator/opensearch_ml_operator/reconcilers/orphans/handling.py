"""Shows what is ours in OpenSearch although its resource is gone, and deletes of it what a person says.

A stripped finalizer, a restored etcd, a create that was carried out after everybody had given it up: nobody
looks after what is left. It is reported. A person names what may go, or has said in the spec of the
connection that all of it may go after a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from ...constants import DELETE_ORPHANS_ANNOTATION
from ...errors import OperatorError
from ...models.common import seconds
from ...models.connection import OpenSearchConnectionStatus, Orphan, OrphanHandling
from ...models.snapshot import ObjectKey, Snapshot
from .. import retention
from ..ports import MLCommons
from ..records import moment
from ..session import Ports, Session
from .removal import GOING, remove
from .search import GRACE, Found, Search, search

INTERVAL: Final = 3600.0
FIRST: Final = 600.0
"""Seconds until the first search of a process: a restart costs nothing."""
MANY: Final = 20
"""More than so many at once are a mistake: they are deleted by name alone."""
_SOON: Final = 5.0
_AGAIN: Final = 60.0
"""Seconds until the next try after a search that failed."""
_SHOWN: Final = 50


@dataclass(slots=True)
class _Memory:
    """What this process knows of one connection; times by the monotonic clock."""

    due: float
    done: str = ""
    """The value of the annotation that has been carried out."""
    idle: dict[str, float] = field(default_factory=dict)
    """Since when an entry of the list of what was retained has stood for nothing."""


class Orphans:
    """One search of each kind an hour and connection, and one list of each kind of our resources.

    `deleted` is told the connection's key and the kind of each orphan that is gone.
    """

    def __init__(self, ports: Ports, *, deleted: Callable[[ObjectKey, str], None]) -> None:
        self._ports = ports
        self._deleted = deleted
        self._memory: dict[str, _Memory] = {}

    def forget(self, uid: str) -> None:
        """Forget a connection that is gone, or whose status could not be written."""
        self._memory.pop(uid, None)

    async def look(
        self, session: Session[OpenSearchConnectionStatus], client: MLCommons
    ) -> Mapping[str, Any]:
        """Look when it is time; return the fields of the connection's status to write. Never raises."""
        now = self._ports.monotonic()
        memory = self._memory.setdefault(session.snapshot.uid, _Memory(due=now + FIRST))
        asked = session.snapshot.annotations.get(DELETE_ORPHANS_ANNOTATION, "")
        if now < memory.due and asked == memory.done:
            return {}
        memory.due, memory.done = now + INTERVAL, asked
        try:
            proven = await search(self._ports, client, session.snapshot, asked=bool(asked))
            condemned = {*re.findall(r"[A-Za-z0-9_-]+", asked), *self._expired(session, proven)}
            left = await self._delete(session, client, proven.orphans, condemned)
        except OperatorError:
            memory.due = now + _AGAIN
            return {}  # one that cannot be proven is none
        if any(going for _, going in left):
            memory.due = now + _SOON
        return {
            **self._shown(session, proven.connection, [orphan for orphan, _ in left]),
            "retained": self._retained(session, memory, proven.marks),
        }

    def _expired(self, session: Session[OpenSearchConnectionStatus], proven: Search) -> set[str]:
        """Return the ids of those that may go by the spec alone; an earlier search has shown them already."""
        handling = _handling(proven.connection)
        if handling.policy != "Delete" or not proven.orphans:
            return set()
        if obstacle := self._obstacle(proven):
            session.event("OrphansKept", f"Nothing is deleted by itself: {obstacle}.", warning=True)
            return set()
        until = self._ports.now().timestamp() - seconds(handling.after)
        times = {orphan.id: moment(orphan.since) for orphan in session.status.orphans}
        return {id_ for id_, since in times.items() if since is not None and since.timestamp() <= until}

    def _obstacle(self, proven: Search) -> str | None:
        if not self._ports.cluster_wide:
            return "this operator does not see all namespaces, and another one may need the orphans"
        if len(proven.orphans) > MANY:
            return f"{len(proven.orphans)} orphans at once look like a mistake"
        if len(retention.retained(proven.connection)) >= retention.MOST:
            return "status.retained, the list of what was left on purpose, is full"
        return None

    async def _delete(
        self,
        session: Session[OpenSearchConnectionStatus],
        client: MLCommons,
        found: list[Found],
        condemned: Collection[str],
    ) -> list[tuple[Found, bool]]:
        """Delete those; return all that are left, and whether they are going."""
        left = []
        begun = self._ports.monotonic()
        for orphan in found:
            if orphan.hit.id not in condemned:
                left.append((orphan, False))
                continue
            # A person asks when the pipeline that stood in the way has just gone: no older look counts.
            max_age = self._ports.monotonic() - begun
            kept = await remove(client, orphan, max_age=max_age)
            if kept is None:
                self._deleted(session.snapshot.key, orphan.kind)
                session.event("OrphanDeleted", f"Deleted {orphan}, which had no resource any more.")
                continue
            left.append((orphan, kept == GOING))
            if kept != GOING:
                session.event("OrphanKept", f"{orphan} stays: {kept}", warning=True)
        return left

    def _shown(
        self, session: Session[OpenSearchConnectionStatus], connection: Snapshot, left: list[Found]
    ) -> Mapping[str, Any]:
        since = {orphan.id: orphan.since for orphan in session.status.orphans}
        new = [orphan for orphan in left[:_SHOWN] if orphan.hit.id not in since]
        if new:
            names = ", ".join(str(orphan) for orphan in new[:10])
            words = f"{len(left)} objects in OpenSearch were made here and have no resource; new: {names}."
            handling = _handling(connection)
            if handling.policy == "Delete":
                words += f" By spec.orphans they are deleted in {handling.after}."
            session.event("OrphansFound", words, warning=True)
        shown = [
            Orphan(kind=each.kind, id=each.hit.id, name=each.name, since=since.get(each.hit.id, session.now))
            for each in left[:_SHOWN]
        ]
        return {"orphans": shown, "orphan_count": len(left) or None}

    def _retained(
        self, session: Session[OpenSearchConnectionStatus], memory: _Memory, marks: Collection[str]
    ) -> list[str]:
        """Return the list of what was left on purpose without what is not there, and can no longer come."""
        entries = session.status.retained
        now = self._ports.monotonic()
        memory.idle = {
            entry: memory.idle.get(entry, now) for entry in entries if not retention.stays(entry, marks)
        }
        if len(entries) >= retention.MOST:
            return entries  # what did not fit into it is not known
        return [entry for entry in entries if now - memory.idle.get(entry, now) < GRACE]


def _handling(connection: Snapshot) -> OrphanHandling:
    """Return what the spec says; one that cannot be read allows nothing."""
    try:
        return OrphanHandling.model_validate(connection.spec.get("orphans") or {})
    except ValidationError:
        return OrphanHandling()
