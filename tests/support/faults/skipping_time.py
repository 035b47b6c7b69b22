"""Time that skips what nobody works in: hours of waiting cost a test nothing, timeouts and periods stay true.

One event loop, the host, runs as usual; all others are its guests, in the same thread: whenever the host has
nothing to do, each guest goes on by one turn. Time goes as fast as the real one, and jumps to the next timer
when nobody has anything to do. Nothing is on its way then: on loopback, what one side has sent the other can
read at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

_PAUSE = 0.001
"""Real seconds between two looks while somebody works whom no loop knows of."""


class SkippingClock:
    """The clock of a host, whose loop `new_loop` makes, and of its guests."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._wall = datetime.now(UTC)
        self._skipped = 0.0
        self._guests: list[Guest] = []
        self._holds = 0

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic() + self._skipped

    def now(self) -> datetime:
        """Return the time of day."""
        return self._wall + timedelta(seconds=self.monotonic() - self._start)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop of the host."""
        return _Loop(self, _HostSelector(self))

    def invite(self, work: Coroutine[Any, Any, None]) -> Guest:
        """Run something in an event loop of its own, turn by turn, until it ends."""
        guest = Guest(self, work)
        self._guests.append(guest)
        return guest

    @contextlib.contextmanager
    def real(self) -> Iterator[None]:
        """Skip nothing within: somebody works whom no loop knows of."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def turn(self) -> tuple[bool, float]:
        """Let each guest go on; return whether one has worked, and when the next has something to do."""
        self._guests = [guest for guest in self._guests if not guest.done]
        worked = [guest.turn() for guest in self._guests]
        return any(worked), min((guest.until for guest in self._guests), default=math.inf)

    def skip(self, until: float) -> None:
        """Jump to a moment, since nobody has anything to do before it."""
        if self._holds or not math.isfinite(until):
            time.sleep(_PAUSE)
        else:
            self._skipped += max(0.0, until - self.monotonic())


class Guest:
    """Work in an event loop that its host drives: asyncio has no public way to run a loop for one turn."""

    def __init__(self, clock: SkippingClock, work: Coroutine[Any, Any, None]) -> None:
        self._selector = _GuestSelector(clock)
        self.loop = cast("Any", _GuestLoop(clock, self._selector))
        self.loop._thread_id = threading.get_ident()  # noqa: SLF001 - as above: it counts as running
        self._task = self.loop.create_task(self._run(work))
        self.done = False

    @property
    def until(self) -> float:
        """When it has something to do, if nothing comes before."""
        return self._selector.until

    def turn(self) -> bool:
        """Run what is due; return whether there was anything."""
        hooks, host = sys.get_asyncgen_hooks(), asyncio.get_running_loop()
        asyncio._set_running_loop(self.loop)  # noqa: SLF001 - as above
        sys.set_asyncgen_hooks(
            firstiter=self.loop._asyncgen_firstiter_hook,  # noqa: SLF001 - as above
            finalizer=self.loop._asyncgen_finalizer_hook,  # noqa: SLF001 - as above
        )
        try:
            self.loop._run_once()  # noqa: SLF001 - as above
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(host)  # noqa: SLF001 - as above
        if self._task.done():
            self.done = True
            self.loop._thread_id = None  # noqa: SLF001 - as above
            self.loop.close()
        return self.done or not self._selector.idle

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it to its end, and cancel what it has left behind."""
        try:
            await work
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_asyncgens()


class _HostSelector(selectors.DefaultSelector):
    def __init__(self, clock: SkippingClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        clock = self._clock
        until = math.inf if timeout is None else clock.monotonic() + timeout
        while True:
            ready = super().select(0)
            if ready or clock.monotonic() >= until:
                return ready
            worked, next_turn = clock.turn()
            if not worked and not (ready := super().select(0)):
                clock.skip(min(until, next_turn))
            elif ready:
                return ready


class _GuestSelector(selectors.DefaultSelector):
    """Never waits; tells whether it would have, and until when."""

    def __init__(self, clock: SkippingClock) -> None:
        super().__init__()
        self._clock = clock
        self.idle = False
        self.until = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        self.idle = not ready and (timeout is None or timeout > 0)
        self.until = math.inf if timeout is None else self._clock.monotonic() + timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: SkippingClock, selector: selectors.BaseSelector) -> None:
        self._skipping = clock
        super().__init__(selector)

    def time(self) -> float:
        return self._skipping.monotonic()


class _GuestLoop(_Loop):
    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override] # any
        """Do nothing: signals are for the host."""
