"""An event loop whose clock jumps to the next timer as soon as nothing else is left to do."""

from __future__ import annotations

import asyncio
import selectors

from typing_extensions import override

MICROSECOND = 1e-6


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: moves the loop's clock instead, and fails when nothing would ever happen again."""

    loop: VirtualTimeLoop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise AssertionError("the test waits for something that never happens")
            if timeout > 0:
                # A little more than asked for, as real loops do, lest rounding leaves a timer just short.
                self.loop.now += timeout + MICROSECOND
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code whose clock is the running loop's `time`."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    @override
    def time(self) -> float:
        return self.now
