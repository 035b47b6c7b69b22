"""Keeps registers and deploys few without making anyone wait: who is refused is woken when there is room."""

from __future__ import annotations

from collections.abc import Callable

from ..models.snapshot import ObjectKey


class Gate:
    """At most `limit` owners inside, at most one per lane; first come, first woken.

    `exists` tells who is still there: when there is no room left, nobody else's place counts. Room is not
    reserved for whoever is woken: he may have changed his mind. So a refused owner should also come back by
    himself now and then. `wake` is called once for each parked owner until he comes back.
    """

    def __init__(
        self,
        limit: int,
        wake: Callable[[ObjectKey], None],
        exists: Callable[[ObjectKey], bool] = lambda _: True,
    ) -> None:
        self._limit = limit
        self._wake = wake
        self._exists = exists
        self._inside: dict[ObjectKey, str] = {}
        self._parked: dict[ObjectKey, str] = {}
        self._woken: set[ObjectKey] = set()

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

    def resize(self, limit: int) -> None:
        """Let more in, or fewer from now on."""
        self._limit = limit
        self._wake_fitting()

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
