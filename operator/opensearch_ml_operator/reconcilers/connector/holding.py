"""An MLConnector of which nothing may be changed: what would be changed is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.common import PendingChange
from ...models.connector import MLConnectorStatus
from .. import adoption, holding, managed
from ..difference import changes
from ..holding import Hold
from ..outcome import Outcome
from ..session import Session
from . import bodies
from .target import UNKNOWN, Applied, Wanted, resolved
from .users import users


async def look(session: Session[MLConnectorStatus], wanted: Wanted, hold: Hold) -> Outcome:
    """Compare, and change nothing: no revision is made, and none is deleted."""
    interval, id_ = wanted.spec.resync_interval, session.status.id
    if id_ is None:
        return await holding.nothing_yet(session, hold, wanted.content, *resolved(), interval=interval)
    observed = await wanted.client.observe("connector", id_, max_age=holding.max_age(session, interval))
    if observed is None:
        return await holding.gone(session, hold, wanted.content, *resolved(), interval=interval)
    found = differences(session, wanted, observed.plain)
    session.differs(found)
    await session.record(*resolved(), holding.synced(hold, found), used_by_models=len(users(session)))
    return Outcome(requeue_after=managed.resync(interval))


def differences(
    session: Session[MLConnectorStatus], wanted: Wanted, observed: Mapping[str, Any]
) -> tuple[PendingChange, ...]:
    """Return what a change would change. Credentials are never shown: only that they are others now."""
    status, snapshot, content, mask = session.status, session.snapshot, wanted.content, session.ports.mask
    applied = Applied(status.spec_hash, status.credential_revision)
    mark: str | None = bodies.mark(snapshot, status.live, wanted.applied)
    adopted = adoption.is_adopted(snapshot)
    if adopted:
        content, mark = bodies.for_adopted(content, wanted.spec), None
    elif applied not in {UNKNOWN, wanted.applied}:
        mark = bodies.mark(snapshot, status.live, applied)
    before, after = bodies.compared(content, adoption.seen(snapshot, observed), mark=mark)
    if adopted or applied.spec_hash != wanted.applied.spec_hash:
        before = bodies.hidden(content, observed) | before
        after = bodies.hidden(content, content) | after
    found = changes(before, after, mask=mask)
    if applied.credential_revision not in {None, wanted.applied.credential_revision}:
        found = (*changes({"credential": "stored"}, {"credential": "new"}, mask=mask), *found)
    return found
