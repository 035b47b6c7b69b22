"""Keeps registers and deploys few without making anyone wait: who is refused is woken when there is room.

How many is learned from the answers; the pool says with how many to begin. A node of ML Commons that is
pushed too hard breaks in ways that cost more than waiting: a register that is answered 429 may have written
its model, a deploy may stay DEPLOYING for good (`MLTaskManager`, rejected by the thread pool). So one bad
answer halves the limit, and only a row of good ones brings it back up, one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..models.snapshot import ObjectKey

_STEADY: Final = 5
"""How many rounds of good answers, each as many as the limit, let one more in."""
_ONE_TROUBLE: Final = 5.0
"""Seconds in which bad answers count as one: those of requests that were sent together."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """With how many a gate begins, and the most that it ever lets in."""

    start: int
    most: int


class Gate:
    """At most `limit` owners inside, at most one per lane; first come, first woken.

    `limit` begins at `start`, and stays between 1 and `most`. `clock` is monotonic, in seconds.

    `exists` tells who is still there: when there is no room left, nobody else's place counts. Room is not
    reserved for whoever is woken: he may have changed his mind. So a refused owner should also come back by
    himself now and then. `wake` is called once for each parked owner until he comes back.
    """

    def __init__(
        self,
        bounds: Bounds,
        wake: Callable[[ObjectKey], None],
        *,
        clock: Callable[[], float],
        exists: Callable[[ObjectKey], bool] = lambda _: True,
    ) -> None:
        self._bounds = bounds
        self._limit = bounds.start
        self._wake = wake
        self._clock = clock
        self._exists = exists
        self._good = 0
        self._trouble_at = float("-inf")
        self._inside: dict[ObjectKey, str] = {}
        self._parked: dict[ObjectKey, str] = {}
        self._woken: set[ObjectKey] = set()

    @property
    def limit(self) -> int:
        """How many may be inside by now."""
        return self._limit

    @property
    def inside(self) -> int:
        """How many are inside, for the metric."""
        return len(self._inside)

    @property
    def parked(self) -> int:
        """How many were refused and have not come back."""
        return len(self._parked)

    def try_enter(self, owner: ObjectKey, lane: str) -> bool:
        """Enter (True, also for an owner who is inside already), or be parked."""
        if owner in self._inside:
            return True
        self._woken.discard(owner)
        if len(self._inside) < self._limit and lane not in self._inside.values():
            self._parked.pop(owner, None)
            self._inside[owner] = lane
            return True
        if self._drop_gone():
            return self.try_enter(owner, lane)
        self._parked[owner] = lane  # one who is parked already keeps his place
        return False

    def leave(self, owner: ObjectKey) -> None:
        """Leave, or stop being parked, and wake whoever fits now; no error for a stranger."""
        self._woken.discard(owner)
        known = self._inside.pop(owner, None) is not None
        known = self._parked.pop(owner, None) is not None or known
        if known:
            self._wake_fitting()

    def resize(self, bounds: Bounds) -> None:
        """Let more in, or fewer: what was learned with others is forgotten."""
        if bounds != self._bounds:
            self._bounds = bounds
            self._limit = bounds.start
            self._wake_fitting()

    def good(self) -> None:
        """Note an answer of a server that is at ease."""
        self._good += 1
        if self._good >= _STEADY * self._limit and self._limit < self._bounds.most:
            self._good = 0
            self._limit += 1
            self._wake_fitting()

    def trouble(self) -> None:
        """Note an answer, or none, of a server that has too much to do."""
        self._good = 0
        if self._clock() - self._trouble_at >= _ONE_TROUBLE:
            self._trouble_at = self._clock()
            self._limit = max(1, self._limit // 2)

    def _drop_gone(self) -> bool:
        """Take the places of those that are gone without a word: somebody took their finalizer off."""
        gone = [owner for owner in self._inside if not self._exists(owner)]
        for owner in gone:
            del self._inside[owner]
        return bool(gone)

    def _wake_fitting(self) -> None:
        """Wake as many as would fit, in order; those woken before who have not come back do not count."""
        room = self._limit - len(self._inside)
        taken = set(self._inside.values())
        for owner, lane in tuple(self._parked.items()):
            if room <= 0:
                return
            if owner not in self._woken and lane not in taken:
                taken.add(lane)
                room -= 1
                self._woken.add(owner)
                self._wake(owner)
