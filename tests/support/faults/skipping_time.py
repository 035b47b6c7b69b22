"""Time that skips what nobody works in: hours of waiting cost a test nothing, timeouts and periods stay true.

All event loops of a clock share it. It goes as fast as the real one, and jumps to the next timer when every
loop has nothing to do and nothing is on its way between them. On loopback, what one side has sent the other
side can read at once; so a loop that looks and sees nothing after all others have come to rest proves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_LOOK_EVERY = 0.0002
"""Real seconds between two looks of a loop at rest."""
_QUICK_LOOKS = 4


class SkippingClock:
    """The clock of several event loops in several threads; `new_loop` adds one, until it is closed."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._wall = datetime.now(UTC)
        self._skipped = 0.0
        self._lock = threading.Lock()
        self._loops: set[_Selector] = set()
        self._resting: dict[_Selector, tuple[float, int]] = {}
        """Until when each loop rests, and the number of turns that it has seen nothing after."""
        self._turns = 0
        self._holds = 0

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic() + self._skipped

    def now(self) -> datetime:
        """Return the time of day."""
        return self._wall + timedelta(seconds=self.monotonic() - self._start)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop by whose time everything waits."""
        return _Loop(self)

    @contextlib.contextmanager
    def real(self) -> Iterator[None]:
        """Skip nothing within: somebody works whom no loop knows of, such as a thread that begins or ends."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def add(self, selector: _Selector) -> None:
        """Wait for this loop too, from now on."""
        with self._lock:
            self._loops.add(selector)
            self._turns += 1

    def remove(self, selector: _Selector) -> None:
        """Forget a loop that is closed."""
        with self._lock:
            self._loops.discard(selector)
            self._resting.pop(selector, None)
            self._turns += 1

    def turn(self, selector: _Selector, until: float | None) -> int:
        """Note that a loop comes to rest (until then) or works again (None); return the number of turns."""
        with self._lock:
            self._turns += 1
            if until is None:
                self._resting.pop(selector, None)
            else:
                self._resting[selector] = (until, 0)
            return self._turns

    def turns(self) -> int:
        """Return how often a loop has come to rest or gone to work."""
        return self._turns

    def saw_nothing(self, selector: _Selector, turns: int) -> None:
        """Note that a loop at rest has nothing to do; skip when that is so for all of them."""
        with self._lock:
            until, _ = self._resting[selector]
            self._resting[selector] = (until, turns)
            if self._holds or self._resting.keys() != self._loops:
                return
            if any(seen != self._turns for _, seen in self._resting.values()):
                return
            next_timer = min(until for until, _ in self._resting.values())
            if math.isfinite(next_timer):
                self._skipped += max(0.0, next_timer - self.monotonic())
                self._turns += 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: SkippingClock) -> None:
        super().__init__()
        self._clock = clock
        clock.add(self)

    def close(self) -> None:
        self._clock.remove(self)
        super().close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        clock = self._clock
        until = math.inf if timeout is None else clock.monotonic() + timeout
        clock.turn(self, until)
        try:
            looks = 0
            while not ready and clock.monotonic() < until:
                turns = clock.turns()
                ready = super().select(0)
                if not ready:
                    clock.saw_nothing(self, turns)
                    time.sleep(_LOOK_EVERY if looks > _QUICK_LOOKS else 0)
                    looks += 1
            return ready
        finally:
            clock.turn(self, None)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: SkippingClock) -> None:
        self._skipping = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._skipping.monotonic()
