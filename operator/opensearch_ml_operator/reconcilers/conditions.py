"""Conditions from facts: `Ready` repeats the first that is not true, kstatus gets Reconciling or Stalled.

The order of the facts is the order in which a user should look at them.
Source: Kubernetes API conventions; kstatus (cli-utils), which Helm, Flux and Argo CD judge by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..constants import ConditionType, Reason
from ..models.common import Condition

MESSAGE_LIMIT = 1000
_ONLY_WHILE_TRUE = (ConditionType.SUSPENDED, ConditionType.RECONCILING, ConditionType.STALLED)
_ORDER = {condition: place for place, condition in enumerate(ConditionType)}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so, is not so (`holds` False), or is not known yet (None)."""

    type: ConditionType
    holds: bool | None
    reason: Reason
    message: str = ""
    stalled: bool = False
    """Nothing will change until a person acts."""
    awaited: bool = False
    """It comes by itself, unless something goes wrong: a new object shows it only when that takes long."""


def true(type_: ConditionType, message: str = "") -> Fact:
    """State that the condition holds."""
    return Fact(type_, holds=True, reason=Reason.SUCCEEDED, message=message)


def false(type_: ConditionType, reason: Reason, message: str, *, stalled: bool = False) -> Fact:
    """State that the condition does not hold, and why."""
    return Fact(type_, holds=False, reason=reason, message=message, stalled=stalled)


def build(
    previous: Sequence[Condition],
    facts: Iterable[Fact],
    *,
    generation: int,
    now: str,
    without: Collection[ConditionType] = (),
) -> list[Condition]:
    """Return the full list of conditions; those with no fact stay as last seen, unless they are to go."""
    known = tuple(facts)
    blocking = next((fact for fact in known if fact.holds is not True), None)
    verdict = [*known, _ready(blocking), *_kstatus(blocking)]
    before = {condition.type: condition for condition in previous if condition.type in set(ConditionType)}
    kept = {
        type_: condition for type_, condition in before.items() if type_ not in {*_ONLY_WHILE_TRUE, *without}
    }
    for fact in verdict:
        kept[fact.type] = _condition(fact, before.get(fact.type), generation=generation, now=now)
    return sorted(kept.values(), key=lambda condition: _ORDER[ConditionType(condition.type)])


def find(conditions: Iterable[Condition], type_: ConditionType) -> Condition | None:
    """Return the condition of this type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def _ready(blocking: Fact | None) -> Fact:
    if blocking is None:
        return true(ConditionType.READY)
    return Fact(ConditionType.READY, holds=False, reason=blocking.reason, message=blocking.message)


def _kstatus(blocking: Fact | None) -> tuple[Fact, ...]:
    if blocking is None:
        return ()
    if blocking.stalled:
        return (Fact(ConditionType.STALLED, holds=True, reason=blocking.reason, message=blocking.message),)
    progress = Reason.PROGRESSING if blocking.reason in _PROGRESS else Reason.PROGRESSING_WITH_RETRY
    return (Fact(ConditionType.RECONCILING, holds=True, reason=progress, message=blocking.message),)


_PROGRESS = frozenset(
    {
        Reason.CREATING,
        Reason.UPDATING,
        Reason.SWAPPING,
        Reason.REGISTER_TASK_RUNNING,
        Reason.DEPLOY_TASK_RUNNING,
        Reason.UNDEPLOY_RUNNING,
    }
)


def _condition(fact: Fact, before: Condition | None, *, generation: int, now: str) -> Condition:
    status: Literal["True", "False", "Unknown"] = "Unknown"
    if fact.holds is not None:
        status = "True" if fact.holds else "False"
    moved = before is None or before.status != status
    return Condition(
        type=fact.type.value,
        status=status,
        reason=fact.reason.value,
        message=fact.message[:MESSAGE_LIMIT],
        observed_generation=generation,
        last_transition_time=now if moved or before is None else before.last_transition_time,
    )
