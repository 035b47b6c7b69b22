"""Shows what is ours in OpenSearch although its resource is gone, and deletes what a person names of it.

A stripped finalizer, a restored etcd, a create that was carried out after everybody had given it up: nobody
looks after what is left. It is reported. Whether it may go only a person knows: a deletion policy Retain
leaves the same traces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..constants import DELETE_ORPHANS_ANNOTATION
from ..errors import OperatorError
from ..models.connection import OpenSearchConnectionStatus, Orphan
from . import orphan_removal, orphan_search
from .orphan_search import Found
from .ports import MLCommons
from .session import Ports, Session

INTERVAL: Final = 3600.0
FIRST: Final = 600.0
"""Seconds until the first search of a process: a restart costs nothing."""
_SOON: Final = 5.0
_AGAIN: Final = 60.0
"""Seconds until the next try after a search that failed."""
_SHOWN: Final = 50


class Seen(NamedTuple):
    """Fields of a connection's status."""

    orphans: list[Orphan]
    orphan_count: int | None


NONE: Final = Seen([], None)


@dataclass(slots=True)
class _Memory:
    """What this process knows of one connection; times by the monotonic clock."""

    due: float
    done: str = ""
    """The value of the annotation that has been carried out."""


class Orphans:
    """One search of each kind an hour and connection, and one list of each kind of our resources."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._memory: dict[str, _Memory] = {}

    def forget(self, uid: str) -> None:
        """Forget a connection that is gone."""
        self._memory.pop(uid, None)

    async def look(self, session: Session[OpenSearchConnectionStatus], client: MLCommons) -> Seen:
        """Return the orphans of the connection, as they were found at the last search; never raises."""
        known = Seen(session.status.orphans, session.status.orphan_count)
        now = self._ports.monotonic()
        memory = self._memory.setdefault(session.snapshot.uid, _Memory(due=now + FIRST))
        asked = session.snapshot.annotations.get(DELETE_ORPHANS_ANNOTATION, "")
        if now < memory.due and asked == memory.done:
            return known
        memory.due, memory.done = now + INTERVAL, asked
        try:
            found = await orphan_search.find(self._ports, client, session.snapshot.key.namespace)
            left = await self._delete(session, client, found, set(re.findall(r"[A-Za-z0-9_-]+", asked)))
        except OperatorError:
            memory.due = now + _AGAIN
            return known  # one that cannot be proven is none
        if any(going for _, going in left):
            memory.due = now + _SOON
        return self._seen(session, [orphan for orphan, _ in left])

    def _seen(self, session: Session[OpenSearchConnectionStatus], left: list[Found]) -> Seen:
        since = {orphan.id: orphan.since for orphan in session.status.orphans}
        new = [orphan for orphan in left[:_SHOWN] if orphan.hit.id not in since]
        if new:
            names = ", ".join(str(orphan) for orphan in new[:10])
            words = f"{len(left)} objects in OpenSearch were made here and have no resource; new: {names}."
            session.event("OrphansFound", words, warning=True)
        shown = [
            Orphan(kind=each.kind, id=each.hit.id, name=each.name, since=since.get(each.hit.id, session.now))
            for each in left[:_SHOWN]
        ]
        return Seen(shown, len(left) or None)

    async def _delete(
        self,
        session: Session[OpenSearchConnectionStatus],
        client: MLCommons,
        found: list[Found],
        asked: set[str],
    ) -> list[tuple[Found, bool]]:
        """Delete those that a person has named; return all that are left, and whether they are going."""
        left = []
        begun = self._ports.monotonic()
        for orphan in found:
            if orphan.hit.id not in asked:
                left.append((orphan, False))
                continue
            # A person asks when the pipeline that stood in the way has just gone: no older look counts.
            max_age = self._ports.monotonic() - begun
            kept = await orphan_removal.remove(client, orphan, max_age=max_age)
            if kept is None:
                session.event("OrphanDeleted", f"Deleted {orphan}, which had no resource any more.")
                continue
            left.append((orphan, kept == orphan_removal.GOING))
            if kept != orphan_removal.GOING:
                session.event("OrphanKept", f"{orphan} stays: {kept}", warning=True)
        return left
