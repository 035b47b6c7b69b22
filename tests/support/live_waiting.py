"""Waiting in tests against real servers: polled with a deadline, never slept for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.1


def until(
    check: Callable[[], T | None],
    *,
    seconds: float = 30.0,
    poll: float = POLL_SECONDS,
    told: Callable[[], object] | None = None,
) -> T:
    """Return the first true value of `check`. AssertionError after that long, with what `told` tells."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {told() if told else value}")
        time.sleep(poll)
    return value
