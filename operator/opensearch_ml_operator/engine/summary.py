"""What an object shows to those that refer to it: they run again when this changes, and only then."""

from __future__ import annotations

from collections.abc import Mapping
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
    ready = condition(snapshot, ConditionType.READY)
    return Summary(
        uid=snapshot.uid,
        generation=snapshot.generation,
        deleting=snapshot.deleting,
        ready=ready.get("status"),
        reason=ready.get("reason"),
        remote_id=snapshot.status.get("id"),
    )


def condition(snapshot: Snapshot, kind: ConditionType) -> Mapping[str, Any]:
    """Return the condition of this type as it stands in the raw status, empty when it is not there."""
    conditions = snapshot.status.get("conditions")
    if isinstance(conditions, list):
        for entry in conditions:
            if isinstance(entry, Mapping) and entry.get("type") == kind:
                return entry
    return {}
