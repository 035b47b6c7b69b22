"""An MLConnector of which nothing may be changed: what would be changed is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..constants import ConditionType
from ..models.common import PendingChange
from ..models.connector import MLConnectorSpec, MLConnectorStatus
from . import adoption, connector_body, holding, managed
from .conditions import true
from .credentials import Credentials
from .difference import changes
from .holding import Hold
from .outcome import Outcome
from .ports import MLCommons
from .records import digest
from .session import Session


async def look(
    session: Session[MLConnectorStatus],
    client: MLCommons,
    spec: MLConnectorSpec,
    content: Mapping[str, Any],
    credentials: Credentials,
    hold: Hold,
) -> Outcome:
    """Compare, and change nothing: no revision is made, and none is deleted."""
    resolved = (true(ConditionType.REFERENCES_RESOLVED), true(ConditionType.CREDENTIALS_RESOLVED))
    interval, id_ = spec.resync_interval, session.status.id
    if id_ is None:
        return await holding.nothing_yet(session, hold, content, *resolved, interval=interval)
    observed = await client.observe("connector", id_, max_age=holding.max_age(session, interval))
    if observed is None:
        return await holding.gone(session, hold, content, *resolved, interval=interval)
    if adoption.is_adopted(session.snapshot):
        content = connector_body.for_adopted(content, spec)
    found = differences(session, content, credentials, observed.source)
    session.differs(found)
    await session.record(
        *resolved,
        holding.synced(hold, found),
        used_by_models=len(session.ports.catalog.dependents(session.snapshot.key)),
    )
    return Outcome(requeue_after=managed.resync(interval))


def differences(
    session: Session[MLConnectorStatus],
    content: Mapping[str, Any],
    credentials: Credentials,
    observed: Mapping[str, Any],
) -> tuple[PendingChange, ...]:
    """Return what a change would change. Credentials are never shown: only that they are others now."""
    status, mask = session.status, session.ports.mask
    adopted = adoption.is_adopted(session.snapshot)
    token = None if adopted else connector_body.token(session.snapshot, status.revision)
    observed = adoption.seen(session.snapshot, observed)
    before, after = connector_body.compared(content, observed, token=token)
    if adopted or status.spec_hash != digest(content):
        before, after = (
            connector_body.hidden(content, observed) | before,
            connector_body.hidden(content, content) | after,
        )
    found = changes(before, after, mask=mask)
    if status.credential_revision not in {None, credentials.revision}:
        found = (*changes({"credential": "stored"}, {"credential": "new"}, mask=mask), *found)
    return found
