"""A node that was away when a model's connector changed goes on with the one of before.

Seen on three nodes of 3.6.0: a frozen node that was expelled and comes back keeps the old connector in its
memory, GET says DEPLOYED on all nodes with the new one, and every third prediction carries the old key for as
long as anybody looked. The same PUT once more sets it right, and no prediction fails. What shows that a node
has joined is `last_deployed_time`: OpenSearch then deploys by itself what the node should hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...models.model import RemoteModelStatus
from .. import states
from ..session import Session
from .target import Target


def deployed_at(observed: Mapping[str, Any]) -> str | None:
    """Return when the server says that it last deployed the model; None when it does not say."""
    millis = observed.get("last_deployed_time")
    if not isinstance(millis, int) or isinstance(millis, bool):
        return None
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def stale_part(
    session: Session[RemoteModelStatus], target: Target, observed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a node may lack that has joined since the connector was sent; nothing in most cases."""
    status = session.status
    deployed = deployed_at(observed)
    joined = (
        status.connector_changed_at is not None
        and status.state in states.LOADED
        and status.last_deployed_at is not None
        and deployed is not None
        and deployed != status.last_deployed_at
    )
    return target.connector_part() if joined else {}


def on_record(
    session: Session[RemoteModelStatus], target: Target, observed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the status fields of a model at rest.

    An update that was refused may have been stored all the same: OpenSearch answers 500 when a node did not
    take it. Then the new connector shows here first.
    """
    before = session.status.connector_id
    moved = before is not None and before != target.resolved.connector_id
    changed = {"connector_changed_at": session.now} if moved else {}
    return {"last_deployed_at": deployed_at(observed), **changed}


def resumed(session: Session[RemoteModelStatus]) -> dict[str, Any]:
    """Return the status fields of a model that comes up with a connector that was changed meanwhile."""
    return {"connector_changed_at": session.now, "last_deployed_at": None}
