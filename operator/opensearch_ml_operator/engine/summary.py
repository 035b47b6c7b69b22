"""What an object shows to others: they run again when this changes, and only then."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..constants import ConditionType
from ..models.snapshot import Snapshot
from ..reconcilers import states


class Summary(NamedTuple):
    """Everything that those who refer to the object decide by."""

    uid: str
    generation: int
    deleting: bool
    ready: Any
    reason: Any
    remote_id: Any


def summary_of(snapshot: Snapshot | None) -> Summary | None:
    """Summarize an object, None for one that does not exist; never raises, whatever the status holds."""
    if snapshot is None:
        return None
    ready = snapshot.condition(ConditionType.READY)
    return Summary(
        uid=snapshot.uid,
        generation=snapshot.generation,
        deleting=snapshot.deleting,
        ready=ready.get("status"),
        reason=ready.get("reason"),
        remote_id=snapshot.status.get("id"),
    )


def has_moved_on(old: Snapshot | None, new: Snapshot) -> bool:
    """Whether a model has let go of the connector that it used, or of the one that its nodes had loaded.

    Its connector may wait for that: to be changed, or to delete an earlier revision.
    """
    if old is None or old.uid != new.uid:
        return False
    before, after = old.status, new.status
    left = before.get("connectorID") not in {None, after.get("connectorID")}
    return left or (before.get("state") in states.LOADED and after.get("state") not in states.LOADED)
