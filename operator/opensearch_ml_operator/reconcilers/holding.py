"""suspend and Observe: nothing is changed in OpenSearch, and what would be changed is shown.

Stalled, not in progress: what differs stays so until a person acts, and nobody who waits should wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..constants import ConditionType, Reason
from ..models.common import HoldableSpec, HoldableStatus, ManagedStatus, PendingChange
from . import difference, managed
from .conditions import Fact, false, true
from .outcome import Outcome
from .session import Session


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing may be changed, because of `why`."""

    why: str
    observing: bool


def of(spec: HoldableSpec) -> Hold | None:
    """Return what keeps the operator from changing anything; None when it may."""
    if spec.management_policy == "Observe":
        return Hold("spec.managementPolicy is Observe", observing=True)
    return Hold("spec.suspend is true", observing=False) if spec.suspend else None


def max_age(session: Session[HoldableStatus], interval: str) -> float:
    """Return how old a batched read may be: a new spec, and a person who asks, want to see what is there."""
    fresh = session.asked or session.status.observed_generation != session.snapshot.generation
    return 0.0 if fresh else managed.freshness(interval)


def synced(hold: Hold, found: tuple[PendingChange, ...]) -> Fact:
    """Return whether the remote object is as the spec says."""
    if not found:
        return true(ConditionType.SYNCED)
    words = f"Differs from the spec: {difference.named(found)}. Nothing is changed, because {hold.why}."
    return false(ConditionType.SYNCED, Reason.DRIFT_DETECTED, words, stalled=True)


async def nothing_yet(
    session: Session[ManagedStatus], hold: Hold, wanted: Mapping[str, Any], *resolved: Fact, interval: str
) -> Outcome:
    """Show that there is no remote object, and leave alone what was announced: resuming goes on with it."""
    if session.status.pending is not None:
        words = (
            "A create was announced, and whether it was carried out is looked for only when changes may be "
            f"made again: {hold.why}."
        )
        fact = false(ConditionType.SYNCED, Reason.WAITING_FOR_UNRESOLVED_CREATE, words, stalled=True)
    elif hold.observing:
        words = "There is nothing to observe: Observe needs spec.adopt, or an object made before."
        fact = false(ConditionType.SYNCED, Reason.INVALID_SPEC, words, stalled=True)
    else:
        session.differs(difference.changes({}, wanted, mask=session.ports.mask))
        words = f"It has not been created, because {hold.why}."
        fact = false(ConditionType.SYNCED, Reason.DRIFT_DETECTED, words, stalled=True)
    await session.record(*resolved, fact)
    return Outcome(requeue_after=managed.resync(interval))


async def gone(
    session: Session[ManagedStatus], hold: Hold, wanted: Mapping[str, Any], *resolved: Fact, interval: str
) -> Outcome:
    """Show that the remote object has been deleted by somebody else."""
    session.differs(difference.changes({}, wanted, mask=session.ports.mask))
    words = (
        f"{session.status.id} has been deleted in OpenSearch. It is not created again, because {hold.why}."
    )
    await session.record(*resolved, false(ConditionType.SYNCED, Reason.DRIFT_DETECTED, words, stalled=True))
    return Outcome(requeue_after=managed.resync(interval))
