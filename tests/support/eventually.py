"""Waiting for a state: polled with a deadline, never slept for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], T], *, seconds: float = 10.0, every: float = 0.01) -> T:
    """Return the first true value of `check`; AssertionError when there was none in time.

    What costs much to look at is looked at less often.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not (value := check()):
        assert clock() < deadline, f"not within {seconds} s; the last value was {value!r}"
        await asyncio.sleep(every)
    return value
