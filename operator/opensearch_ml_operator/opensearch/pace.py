"""How fast requests of one connection may follow each other: a token bucket, kept as a point in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pace:
    """Lets `burst` requests through at once and `rate` a second in the long run, in the order they came.

    `clock` is in seconds, at the pace of the event loop's. Who is cancelled while waiting has used up a turn.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval = 1.0 / rate
        self._saved = (burst - 1) * self._interval
        self._clock = clock
        self._next = clock() - self._saved

    async def turn(self) -> None:
        """Wait until the next request may leave."""
        now = self._clock()
        mine = max(self._next, now - self._saved)
        self._next = mine + self._interval
        if mine > now:
            await asyncio.sleep(mine - now)
