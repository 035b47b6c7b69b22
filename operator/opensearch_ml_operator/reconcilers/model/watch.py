"""How long this process has seen each model in the same state; a crash forgets it, and looks anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watch:
    """One model's state as last seen."""

    same_for: float
    """Seconds for which the state has been the same."""
    polls: int
    """How often the model has been looked at since the last effect."""


@dataclass(slots=True)
class _Entry:
    state: str
    since: float
    polls: int = 0


class Watches:
    """The models that are under way; `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: dict[str, _Entry] = {}

    def see(self, uid: str, state: str) -> Watch:
        """Take note of a state."""
        now = self._monotonic()
        entry = self._entries.setdefault(uid, _Entry(state, now))
        if entry.state != state:
            entry.state, entry.since = state, now
        watch = Watch(same_for=now - entry.since, polls=entry.polls)
        entry.polls += 1
        return watch

    def restart(self, uid: str) -> None:
        """Look often again after an effect, and count the time of the state anew."""
        self._entries.pop(uid, None)

    def forget(self, uid: str) -> None:
        """Forget a model at rest, or one that is gone."""
        self._entries.pop(uid, None)
