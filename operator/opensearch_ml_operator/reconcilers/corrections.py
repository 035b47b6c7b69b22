"""Counts corrections of drift, so that two who undo each other's changes stop in the end."""

from __future__ import annotations

from collections.abc import Callable

LIMIT = 3
"""Equal corrections within the window after which somebody, or the server, keeps undoing them."""
WINDOW = 3600.0
"""Seconds after which a correction is forgotten: once a week is no loop."""


class Corrections:
    """By uid; counted after they have succeeded, and only as long as they are equal."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._made: dict[str, tuple[str, list[float]]] = {}

    def count(self, uid: str, what: str) -> int:
        """Return how many corrections equal to this one were made within the window."""
        last, times = self._made.get(uid, ("", []))
        since = self._monotonic() - WINDOW
        return len([time for time in times if time > since]) if last == what else 0

    def add(self, uid: str, what: str) -> None:
        """Take note of a correction."""
        since = self._monotonic() - WINDOW
        last, times = self._made.get(uid, ("", []))
        kept = [time for time in times if time > since] if last == what else []
        self._made[uid] = (what, [*kept, self._monotonic()])

    def forget(self, uid: str) -> None:
        """Forget an object that is gone."""
        self._made.pop(uid, None)
