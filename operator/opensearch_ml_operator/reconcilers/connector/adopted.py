"""A connector that was adopted: changed in place or not at all, because its id is known to others."""

from __future__ import annotations

from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.common import PendingChange
from ...models.connector import MLConnectorStatus
from .. import adoption, holding, managed
from ..conditions import false
from ..corrections import LIMIT, Corrections
from ..outcome import Outcome
from ..records import digest
from ..session import Session
from . import bodies, redeploy
from .holding import differences
from .target import Wanted, ready, resolved
from .users import users


async def keep(session: Session[MLConnectorStatus], wanted: Wanted, corrections: Corrections) -> Outcome:
    """Compare with what is there, and change in place what differs.

    Nobody can see whether the credentials of the spec are those that the connector has. They count as the
    same until the Secret changes; then, and with every other change, they are sent.
    """
    status, spec, id_ = session.status, wanted.spec, session.status.id or ""
    observed = await wanted.client.observe(
        "connector", id_, max_age=holding.max_age(session, spec.resync_interval)
    )
    if observed is None:
        return await adoption.missing(session, spec.adopt) or Outcome(retry=True)
    found = differences(session, wanted, observed.plain)
    session.differs(found)
    if not found:
        await session.record(*ready(), **_record(session, wanted))
        return Outcome(requeue_after=managed.resync(spec.resync_interval))
    names = tuple(dict.fromkeys(change.path.partition(".")[0].partition("[")[0] for change in found))
    impossible = _impossible(found)
    if impossible:
        words = (
            f"OpenSearch cannot change {', '.join(impossible)} in place, or take it away, and an adopted "
            "connector is not replaced. Write into the spec what the connector has."
        )
        return await _refused(session, words)
    what = digest(list(names))
    if corrections.count(session.snapshot.uid, what) >= LIMIT and not session.asked:
        words = f"{', '.join(names)} is changed back every time. Find out who or what does it."
        await session.record(*resolved(), false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words))
        return Outcome(requeue_after=managed.NET)
    body = {name: wanted.content[name] for name in names if name in wanted.content}
    if wanted.credentials.values:
        body["credential"] = dict(wanted.credentials.values)
    try:
        await redeploy.change(session, wanted.client, id_, body)
    except MLError as error:
        if error.code is not MLCode.IN_USE:
            raise
        return await _held(session, wanted, names, error)
    corrections.add(session.snapshot.uid, what)
    drifted = status.spec_hash == wanted.applied.spec_hash and "credential" not in names
    session.event("DriftCorrected" if drifted else "Updated", f"Changed {', '.join(names)} in place.")
    await session.record(**_record(session, wanted))
    return Outcome(requeue_after=0)


def _impossible(found: tuple[PendingChange, ...]) -> tuple[str, ...]:
    """Return the changes that no request in place can express: maps are merged by the server."""
    return tuple(
        change.path
        for change in found
        if change.path.partition("[")[0] in bodies.FIXED
        or (change.to is None and change.path.startswith("parameters."))
    )


def _record(session: Session[MLConnectorStatus], wanted: Wanted) -> dict[str, Any]:
    return {**wanted.applied._asdict(), "used_by_models": len(users(session))}


async def _held(
    session: Session[MLConnectorStatus], wanted: Wanted, names: tuple[str, ...], error: MLError
) -> Outcome:
    """Say which models hold the change up, or only seem to."""
    if error.ids and not await redeploy.real_users(wanted.client, session.status.id, error.ids):
        fact = redeploy.false_conflict(error.ids, "Undeploy those models for a moment.")
        await session.record(*resolved(), fact)
        return Outcome(requeue_after=redeploy.BLOCKED)
    words = (
        f"OpenSearch does not change {', '.join(names)}: {error.message.rstrip('.')}. An adopted "
        "connector is not replaced: undeploy these models first, or point them to another MLConnector."
    )
    return await _refused(session, words)


async def _refused(session: Session[MLConnectorStatus], words: str) -> Outcome:
    fact = false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True)
    await session.record(*resolved(), fact)
    return Outcome(requeue_after=managed.NET)
