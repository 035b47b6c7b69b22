"""What to do next about the settings of one MLClusterSettings. Pure.

An object holds a setting from before its first change until it has let it go: its status has the value that
stood before. So it can be put back whatever happens in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...models.common import PendingChange
from ...models.settings import AddedEndpoints, PreviousValue
from ...models.snapshot import ObjectKey
from ..difference import changes
from ..ports import ClusterSettings
from .claims import TRUSTED, Claim, Value

Changes: TypeAlias = Mapping[str, Value | None]
"""Settings by full name; None resets one."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an object has changed, and what stood there before."""

    previous: Mapping[str, PreviousValue] = field(default_factory=dict)
    trusted: AddedEndpoints | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step; each part may be empty."""

    hold: Held
    """What must be on record before anything is changed."""
    changes: Changes
    keep: Held
    """What is held when the changes have been seen."""
    in_the_way: Mapping[str, ObjectKey]
    """Settings that another object has."""
    overridden: tuple[str, ...]
    """Settings whose transient value differs: it wins over ours, and is not ours to remove."""
    again: bool = False
    """Another step follows at once."""


def plan(
    mine: Claim, rivals: Sequence[Claim], held: Held, standing: ClusterSettings, *, restore: bool
) -> Plan:
    """Compare what is wanted with what stands; `restore` says what letting go means."""
    blocked = {
        name: other.key
        for name in (*mine.wish.settings, *([TRUSTED] if mine.wish.endpoints else []))
        if (other := mine.in_the_way(name, rivals)) is not None
    }
    whole = {name: value for name, value in mine.wish.settings.items() if name not in blocked}
    adding = bool(mine.wish.endpoints) and TRUSTED not in blocked
    changing_sides = (TRUSTED in whole and held.trusted is not None) or (adding and TRUSTED in held.previous)
    if changing_sides:  # what was done one way is undone before the other way begins
        whole.pop(TRUSTED, None)
        adding = False

    changes: dict[str, Value | None] = {}
    if restore:
        changes |= {name: before(value) for name, value in held.previous.items() if name not in whole}
    changes |= whole
    hold = {name: held.previous.get(name) or standing_value(standing, name) for name in whole}
    trusted = held.trusted
    after = None
    if adding:
        after, list_ = _add(mine, rivals, held.trusted, standing, restore=restore)
        trusted = _with_added(after, (*(held.trusted.added if held.trusted else ()), *after.added))
        changes |= list_
    elif held.trusted is not None and restore:
        changes |= _remove(held.trusted, held.trusted.added, (), rivals, standing)
    return Plan(
        hold=Held({**held.previous, **hold}, trusted),
        changes={name: value for name, value in changes.items() if not _stands(standing, name, value)},
        keep=Held(hold, after),
        in_the_way=blocked,
        overridden=_overridden(whole, mine.wish.endpoints if adding else (), standing),
        again=changing_sides,
    )


def differences(
    step: Plan, standing: ClusterSettings, *, mask: Callable[[str], str]
) -> tuple[PendingChange, ...]:
    """Return the changes of a step as people read them, by the settings' full names."""
    stands = {name: shown(standing.persistent.get(name)) for name in step.changes}
    return changes(stands, step.changes, mask=mask)


def standing_value(standing: ClusterSettings, name: str) -> PreviousValue:
    """Record a setting as it stands."""
    value = shown(standing.persistent.get(name))
    if isinstance(value, tuple):
        return PreviousValue(values=list(value))
    return PreviousValue(value=value)


def before(previous: PreviousValue) -> Value | None:
    """Return the value that a record stands for; None for a setting that was not set."""
    return tuple(previous.values) if previous.values is not None else previous.value


def shown(raw: Any) -> Value | None:
    """Read a value of the server's answer."""
    if isinstance(raw, list):
        return tuple(str(each) for each in raw)
    return None if raw is None else str(raw)


def _with_added(record: AddedEndpoints, added: Sequence[str]) -> AddedEndpoints:
    """Return the record with these entries, each once."""
    return record.model_copy(update={"added": list(dict.fromkeys(added))})


def _add(
    mine: Claim,
    rivals: Sequence[Claim],
    record: AddedEndpoints | None,
    standing: ClusterSettings,
    *,
    restore: bool,
) -> tuple[AddedEndpoints, Changes]:
    """Return the record for the wanted entries, and the change that brings them into the list."""
    entries, default = _trusted(standing)
    first = record or next((rival.added for rival in rivals if rival.added is not None), None)
    # Whoever comes later takes over what stood before the first of us, or it would be lost with the first.
    first = first or AddedEndpoints(default=default, before=list(entries), added=[])
    wanted = mine.wish.endpoints
    after = _with_added(first, [entry for entry in wanted if entry not in first.before])
    dropped = [entry for entry in (record.added if record and restore else ()) if entry not in wanted]
    missing = tuple(entry for entry in wanted if entry not in entries)
    return after, _remove(first, dropped, missing, rivals, standing)


def _remove(
    record: AddedEndpoints,
    dropped: Sequence[str],
    missing: tuple[str, ...],
    rivals: Sequence[Claim],
    standing: ClusterSettings,
) -> Changes:
    """Return the change that takes entries out of the list, save those of others, and adds some."""
    entries, default = _trusted(standing)
    # Of others on record, not only in their specs: who finds an entry there takes it for a stranger's.
    kept = {entry for rival in rivals if rival.added is not None for entry in rival.added.added}
    gone = set(dropped) - kept
    wanted = (*(entry for entry in entries if entry not in gone), *missing)
    if wanted == entries and default:
        return {}
    return {TRUSTED: None if record.default and wanted == tuple(record.before) else wanted}


def _trusted(standing: ClusterSettings) -> tuple[tuple[str, ...], bool]:
    """Return the list that stands, and whether it is the server's default."""
    value = shown(standing.persistent.get(TRUSTED))
    default = value is None
    value = shown(standing.defaults.get(TRUSTED)) if value is None else value
    return (value,) if isinstance(value, str) else (value or ()), default


def _overridden(
    whole: Mapping[str, Value], endpoints: tuple[str, ...], standing: ClusterSettings
) -> tuple[str, ...]:
    names = [name for name, value in whole.items() if not _same(_transient(standing, name), value)]
    transient = _many(_transient(standing, TRUSTED))
    if endpoints and transient is not None and not set(endpoints) <= set(transient):
        names.append(TRUSTED)
    return tuple(names)


def _transient(standing: ClusterSettings, name: str) -> Value | None:
    return shown(standing.transient.get(name))


def _stands(standing: ClusterSettings, name: str, value: Value | None) -> bool:
    return _many(shown(standing.persistent.get(name))) == _many(value)


def _same(transient: Value | None, value: Value) -> bool:
    return transient is None or _many(transient) == _many(value)


def _many(value: Value | None) -> tuple[str, ...] | None:
    """Return a value as a list: the server takes a text for a list of one, and shows what it was given."""
    return (value,) if isinstance(value, str) else value
