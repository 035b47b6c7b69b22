"""What an object shows to those that refer to it: they run again when this changes, and only then."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..constants import ConditionType
from ..models.snapshot import Snapshot


class Summary(NamedTuple):
    """Everything that a dependent decides by."""

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
