"""A connector that was adopted: changed in place or not at all, because its id is known to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..constants import ConditionType, Reason
from ..errors import MLCode, MLError
from ..models.common import PendingChange
from ..models.connector import MLConnectorSpec, MLConnectorStatus
from . import adoption, connector_body, connector_holding, holding, managed
from .conditions import Fact, false, true
from .corrections import LIMIT, Corrections
from .credentials import Credentials
from .outcome import Outcome
from .ports import MLCommons
from .records import digest
from .session import Session

_FIXED = ("protocol", "access_mode", "backend_roles", "add_all_backend_roles")
"""A change in place of these ruins the connector, or is not checked by the server."""


async def keep(
    session: Session[MLConnectorStatus],
    client: MLCommons,
    spec: MLConnectorSpec,
    content: Mapping[str, Any],
    credentials: Credentials,
    corrections: Corrections,
) -> Outcome:
    """Compare with what is there, and change in place what differs.

    Nobody can see whether the credentials of the spec are those that the connector has. They count as the
    same until the Secret changes; then, and with every other change, they are sent.
    """
    status, id_ = session.status, session.status.id or ""
    observed = await client.observe("connector", id_, max_age=holding.max_age(session, spec.resync_interval))
    if observed is None:
        return await adoption.missing(session, spec.adopt) or Outcome(retry=True)
    wanted = connector_body.for_adopted(content, spec)
    found = connector_holding.differences(session, wanted, credentials, observed.source)
    session.differs(found)
    if not found:
        await session.record(*_ready(), **_record(session, content, credentials))
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
        await session.record(*_ready()[:2], false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words))
        return Outcome(requeue_after=managed.NET)
    body = {name: wanted[name] for name in names if name in wanted}
    if credentials.values:
        body["credential"] = dict(credentials.values)
    try:
        await client.update_connector(id_, body)
    except MLError as error:
        if error.code is not MLCode.IN_USE:
            raise
        words = (
            f"OpenSearch does not change {', '.join(names)}: {error.message.rstrip('.')}. An adopted "
            "connector is not replaced: undeploy these models first, or point them to another MLConnector."
        )
        return await _refused(session, words)
    corrections.add(session.snapshot.uid, what)
    drifted = status.spec_hash == digest(content) and "credential" not in names
    session.event("DriftCorrected" if drifted else "Updated", f"Changed {', '.join(names)} in place.")
    await session.record(**_record(session, content, credentials))
    return Outcome(requeue_after=0)


def _impossible(found: tuple[PendingChange, ...]) -> tuple[str, ...]:
    """Return the changes that no request in place can express: maps are merged by the server."""
    return tuple(
        change.path
        for change in found
        if change.path in _FIXED or (change.to is None and change.path.startswith("parameters."))
    )


def _record(
    session: Session[MLConnectorStatus], content: Mapping[str, Any], credentials: Credentials
) -> dict[str, Any]:
    users = session.ports.catalog.dependents(session.snapshot.key)
    return {
        "spec_hash": digest(content),
        "credential_revision": credentials.revision,
        "used_by_models": len(users),
    }


async def _refused(session: Session[MLConnectorStatus], words: str) -> Outcome:
    fact = false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True)
    await session.record(*_ready()[:2], fact)
    return Outcome(requeue_after=managed.NET)


def _ready() -> tuple[Fact, ...]:
    return (
        true(ConditionType.REFERENCES_RESOLVED),
        true(ConditionType.CREDENTIALS_RESOLVED),
        true(ConditionType.SYNCED),
    )
