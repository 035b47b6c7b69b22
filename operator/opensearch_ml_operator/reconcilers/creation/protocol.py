"""The create protocol: never two remote objects for one resource, none without one, whatever is killed.

ML Commons' creates are not idempotent and a request can be applied after its sender has died. So:

1. an *intent* stands in status (compare-and-set) before a create is sent, and each intent is sent once;
2. a clear answer is recorded at once: the id, or the refusal, and the intent is gone;
3. without a clear answer, or when a process finds an intent that it has not written itself, the intent is
   *unresolved*: search by marker; found, take it; not found, wait until the server can no longer apply the
   request (the quiet period), search twice more, and only then write the next intent.

`plan` is pure. The protocol was model-checked: every simpler one duplicates or leaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ...constants import MARKER
from ...models.common import Pending

SEARCH_INTERVALS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between the searches for an unresolved create; the last one repeats."""
CONFIRMATION = 2.0
"""Seconds between the two empty searches that end the quiet period."""
_SOON = 0.001
"""Seconds that no timer is exact to."""


class Role(StrEnum):
    """What an intent is about."""

    GROUP = "Group"
    CONNECTOR = "Connector"
    MODEL = "Model"
    DEPLOY = "Deploy"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search by marker has found: (created_time, id) of each object, oldest first."""

    objects: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class CreateMemory:
    """What this process alone knows about one intent; a crash forgets it, safely.

    It is about `pending` and no other: what another process has written has a quiet period of its own.
    """

    pending: Pending | None = None
    fresh: Pending | None = None
    """The intent that this process has written and not sent yet."""
    written_at: float = 0.0
    """Monotonic time at which writing it began."""
    unresolved_since: float | None = None
    """Monotonic time when this process first met the unresolved intent."""
    searches: int = 0
    last_search: float | None = None
    confirmed: bool = False
    """Whether two searches in a row after the quiet period were empty."""
    void: bool = False
    """Whether the server has refused it: nothing came of it, and the record of that is still to be made."""


@dataclass(frozen=True, slots=True)
class Intend:
    """Write this intent, then plan again."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class Send:
    """Send the create, once."""


@dataclass(frozen=True, slots=True)
class Search:
    """Search by marker, then plan again with what was found."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Record this id, once its `surplus`, later copies of the same create, has been removed."""

    id: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitUnresolved:
    """Nothing to do for `seconds`; the create may still be applied."""

    seconds: float
    left: float
    """Seconds until the quiet period ends."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The create has not happened and cannot happen any more."""


Step: TypeAlias = Intend | Send | Search | Adopt | WaitUnresolved | Absent


@dataclass(frozen=True, slots=True)
class Intention:
    """Who wants to create what."""

    role: Role
    revision: int
    hash: str
    """Of the request: tells later whether what was found is what is wanted now."""
    holder: str
    now: str
    quiet_period: float
    doubtful: bool = False
    """Whether the status may have been lost: then no intent on record does not prove no create."""


def plan(
    intention: Intention,
    pending: Pending | None,
    memory: CreateMemory,
    found: Found | None,
    *,
    monotonic: float,
) -> Step:
    """Return the next step towards one object; `found` is the result of a search made just now, if any.

    A standing intent to deploy gives way: what became of it shows in the model's state. An intent to create
    anything else must be resolved first. Raises ValueError when there is one.
    """
    if pending is None or pending.role == Role.DEPLOY.value:
        if intention.doubtful and found is None:
            return Search()
        return _adopt(found) if found and found.objects else Intend(_intent(intention, attempt=1))
    if (pending.role, pending.revision) != (intention.role.value, intention.revision):
        raise ValueError(f"an intent to create {pending.role} {pending.revision} stands")
    if memory.fresh == pending:
        return Send()
    return resolve(intention, memory, found, monotonic=monotonic)


def resolve(
    intention: Intention,
    memory: CreateMemory,
    found: Found | None,
    *,
    monotonic: float,
) -> Step:
    """Return the next step towards knowing what became of an intent; `Absent` when it came to nothing."""
    if found is not None and found.objects:
        return _adopt(found)
    if memory.void:
        return Absent()
    since = memory.unresolved_since if memory.unresolved_since is not None else monotonic
    quiet_from = since + intention.quiet_period
    left = max(0.0, quiet_from - monotonic)
    wait = _next_search(memory, quiet_from) - monotonic
    if found is None:
        return Search() if wait <= _SOON else WaitUnresolved(wait, left)
    if left > 0 or not memory.confirmed:
        return WaitUnresolved(max(wait, 0.1), left)
    return Absent()


def remember_search(
    memory: CreateMemory, *, quiet_period: float, empty: bool, monotonic: float
) -> CreateMemory:
    """Return the memory after a search; `confirmed` needs two empty ones after the quiet period."""
    since = memory.unresolved_since if memory.unresolved_since is not None else monotonic
    over = monotonic >= since + quiet_period
    last_was_over = memory.last_search is not None and memory.last_search >= since + quiet_period
    return CreateMemory(
        pending=memory.pending,
        fresh=memory.fresh,
        unresolved_since=since,
        searches=memory.searches + 1,
        last_search=monotonic,
        confirmed=empty and over and last_was_over,
    )


def next_intent(intention: Intention, pending: Pending) -> Pending:
    """Return the intent that replaces one which has come to nothing."""
    return _intent(intention, attempt=pending.attempt + 1)


def marker(uid: str, role: Role, revision: int) -> str:
    """Return the token in a remote object's description that names its resource.

    Letters and digits only: the server's analyser splits at anything else, and a split token matches
    strangers (`match_phrase` on `description`, ml-commons index mappings).
    """
    return f"{MARKER}{uid.replace('-', '')}{role[0].lower()}r{revision}"


def imprint(uid: str) -> str:
    """Return the token of the connection with this uid, which stands behind the marker."""
    return f"{MARKER}in{uid.replace('-', '')}"


def describe(text: str | None, token: str) -> str:
    """Return the description to send: the user's text, then the marker."""
    return f"{text} {token}" if text else token


def _adopt(found: Found) -> Adopt:
    (_, kept), *surplus = sorted(found.objects)
    return Adopt(kept, tuple(id_ for _, id_ in surplus))


def _intent(intention: Intention, *, attempt: int) -> Pending:
    return Pending(
        role=intention.role.value,
        revision=intention.revision,
        attempt=attempt,
        hash=intention.hash,
        holder=intention.holder,
        started_at=intention.now,
    )


def _next_search(memory: CreateMemory, quiet_from: float) -> float:
    """Return when to search: growing intervals, then at the end of the quiet period, then once more."""
    if memory.last_search is None:
        return -math.inf
    if memory.last_search >= quiet_from:
        return memory.last_search + CONFIRMATION
    interval = SEARCH_INTERVALS[min(memory.searches, len(SEARCH_INTERVALS) - 1)]
    return min(memory.last_search + interval, quiet_from)
