"""What objects at rest were judged by: while all of it is the same, a run comes to the same end.

A run at rest parses spec and status, builds what the server should show and compares, to find nothing to do.
With thousands of objects that is nearly all that the operator does. So a run that found nothing to do notes
what it had before it. The next one gets all of that anew, as fresh as it would, and ends when it is the same.
Who decides by anything else, by the time for example, or has an effect, notes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import MLError
from ..models.common import StatusBase
from ..models.snapshot import ObjectKey, Snapshot
from . import references
from .managed import freshness
from .outcome import Outcome
from .ports import Hit
from .session import Ports, Session

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Look:
    """What was known when a run began: it decides by this, or by something newer that wakes the object."""

    references: tuple[ObjectKey, ...]
    """All that the object refers to, its connection first."""
    seen: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Rest:
    look: _Look
    hit: Hit
    max_age: float
    secrets: Mapping[str, str]
    outcome: Outcome


class Rests:
    """The objects of one kind (connector, group, model) that had nothing to do, by uid.

    A run begins with `same`; one that has nothing to do ends with `note`.
    """

    def __init__(self, ports: Ports, kind: str) -> None:
        self._ports = ports
        self._kind = kind
        self._known: dict[str, _Look | _Rest] = {}

    async def same(self, snapshot: Snapshot) -> Outcome | None:
        """Return how the last run ended if this one would end like that; None when it has to be made.

        Raises the errors of SecretSource.
        """
        known = self._known.get(snapshot.uid)
        if isinstance(known, _Rest) and await self._is_same(snapshot, known):
            return known.outcome
        snapshot.unpack()  # what follows reads all of it
        self._known[snapshot.uid] = self._look(snapshot)
        return None

    def note(
        self,
        session: Session[StatusBase],
        hit: Hit,
        outcome: Outcome,
        *,
        interval: str,
        secrets: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Keep what a run had before it that had nothing to do, unless it has written.

        `secrets` are those of its namespace that it has read, with the revision of each.
        """
        known = self._known.get(session.snapshot.uid)
        if isinstance(known, _Look) and not session.wrote:
            rest = _Rest(known, hit, freshness(interval), secrets, outcome)
            self._known[session.snapshot.uid] = rest

    def forget(self, uid: str) -> None:
        """Forget an object that is going."""
        self._known.pop(uid, None)

    async def _is_same(self, snapshot: Snapshot, rest: _Rest) -> bool:
        if rest.look.seen != self._seen(snapshot, rest.look.references):
            return False
        for name, revision in rest.secrets.items():
            # A tenth of a resync later than at once: many connectors may have one Secret.
            age = rest.max_age / 5
            if revision != await self._ports.secrets.revision(snapshot.key.namespace, name, max_age=age):
                return False
        client = self._ports.pool.client(rest.look.references[0])
        try:
            hit = await client.observe(self._kind, rest.hit.id, max_age=rest.max_age) if client else None
        except MLError:
            return False  # the run itself meets that too, and shows it
        return hit == rest.hit and rest.look.seen == self._seen(snapshot, rest.look.references)

    def _look(self, snapshot: Snapshot) -> _Look:
        followed = references.followed(self._ports, snapshot)
        return _Look(followed, self._seen(snapshot, followed))

    def _seen(self, snapshot: Snapshot, followed: tuple[ObjectKey, ...]) -> tuple[Any, ...]:
        """Return all that is known without a request; what is the same object is not compared any further.

        It also tells what the object refers to: `followed` stays true as long as this is the same.
        """
        catalog, pool, connection = self._ports.catalog, self._ports.pool, followed[0]
        return (
            snapshot,
            *map(catalog.get, followed),
            catalog.labels(snapshot.key.namespace),
            len(catalog.dependents(snapshot.key)),
            pool.client(connection),
            pool.available(connection),
            pool.private_addresses_allowed(connection),
        )
