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
    """How often it has been seen the same since the last effect."""


@dataclass(slots=True)
class _Entry:
    state: str = ""
    since: float = 0.0
    polls: int = 0
    correction: str = ""
    corrections: int = 0


class Watches:
    """The models that are under way."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: dict[str, _Entry] = {}

    def see(self, uid: str, state: str) -> Watch:
        """Take note of a state."""
        now = self._monotonic()
        entry = self._entries.setdefault(uid, _Entry(since=now))
        if entry.state != state:
            entry.state, entry.since = state, now
        watch = Watch(same_for=now - entry.since, polls=entry.polls)
        entry.polls += 1
        return watch

    def restart(self, uid: str) -> None:
        """Look often again after an effect, and count the time of the state anew."""
        entry = self._entries.setdefault(uid, _Entry())
        entry.since, entry.polls = self._monotonic(), 0

    def repeated(self, uid: str, correction: str) -> int:
        """Count equal corrections in a row."""
        entry = self._entries.setdefault(uid, _Entry(since=self._monotonic()))
        entry.corrections = entry.corrections + 1 if entry.correction == correction else 1
        entry.correction = correction
        return entry.corrections

    def settled(self, uid: str) -> None:
        """Keep nothing of a model at rest but the last correction, which may come back."""
        entry = self._entries.pop(uid, None)
        if entry is not None and entry.corrections:
            self._entries[uid] = _Entry(
                since=entry.since, correction=entry.correction, corrections=entry.corrections
            )

    def forget(self, uid: str) -> None:
        """Forget a model that is gone."""
        self._entries.pop(uid, None)
