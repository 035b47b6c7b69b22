"""Keeps the workers from hammering an API server that does not answer.

Each key has a growing delay of its own, but ten thousand keys with a delay of a minute are still a flood. So
while the API server is away one run at a time is let through, at intervals that grow, until one ends well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

FIRST_INTERVAL: Final = 1.0
LAST_INTERVAL: Final = 15.0
LONGEST_RETRY_AFTER: Final = 60.0
"""What the server asks for is honoured up to here; then a new look is cheaper than silence."""
QUIET: Final = 60.0
"""A failure after so long without one begins a new outage, with intervals from the first."""

log = logging.getLogger(__name__)


class OutageGate:
    """Open while the API server answers.

    `clock` is monotonic and `random` uniform in [0, 1); times in seconds.
    """

    def __init__(self, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._open = asyncio.Event()
        self._open.set()
        self._turn = asyncio.Lock()
        self._failures = 0
        self._failed_at = clock()
        self._next_trial = clock()
        self._shut_down = False

    @property
    def is_open(self) -> bool:
        """Whether runs start without waiting."""
        return self._open.is_set()

    async def enter(self) -> bool:
        """Wait until a run may start; False when none may any more because the process stops."""
        if not self.is_open:
            async with self._turn:
                await self._wait_for_trial()
        return not self._shut_down

    def failed(self, retry_after: float | None = None) -> None:
        """Close, because the API server did not answer; `retry_after` in seconds when it did and said so."""
        now = self._clock()
        if self.is_open:
            if now - self._failed_at > QUIET:
                self._failures = 0
            self._failures += 1
            self._open.clear()
            self._next_trial = now + self._interval()
            log.warning("The API server does not answer: reconciling is held back until it does.")
        self._failed_at = now
        if retry_after is not None:
            self._next_trial = max(self._next_trial, now + min(retry_after, LONGEST_RETRY_AFTER))

    def passed(self) -> None:
        """Open after a run that did not meet the outage, though it may not have asked the server at all."""
        if not self.is_open:
            self._open.set()
            log.info("Reconciling goes on.")

    def answered(self) -> None:
        """Open because the API server has answered for certain: the outage is over."""
        self._failures = 0
        self.passed()

    def shut_down(self) -> None:
        """Send everybody who waits home, now and later."""
        self._shut_down = True
        self._open.set()

    async def _wait_for_trial(self) -> None:
        while not self.is_open:
            delay = self._next_trial - self._clock()
            if delay <= 0:
                self._failures += 1
                self._next_trial = self._clock() + self._interval()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._open.wait()

    def _interval(self) -> float:
        longest = min(LAST_INTERVAL, FIRST_INTERVAL * 2.0 ** min(self._failures - 1, 30))
        return longest * (0.5 + 0.5 * self._random())
