"""Stops the operator's world at one exact request, so that a test can look, or kill, there and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from .fake_kube import FakeKube
from .fake_mlcommons import FakeMLCommons

When = Literal["before", "after"]


class Trap:
    """Holds the first request that `meets` says yes to, before or after it is carried out, until `release`.

    Released, a request that was held `before` is never carried out and one held `after` gets no answer:
    the connection is cut.
    """

    def __init__(self, meets: Callable[[Any], bool]) -> None:
        self._meets = meets
        self._sprung = False
        self._released = asyncio.Event()
        self.reached = asyncio.Event()

    def release(self) -> None:
        """Let the request go."""
        self._released.set()

    async def __call__(self, call: Any, *_: Any) -> None:
        if self._sprung or not self._meets(call):
            return
        self._sprung = True
        self.reached.set()
        await self._released.wait()
        raise ConnectionResetError


def set_for_kube(kube: FakeKube, *, resource: str, subresource: str, occurrence: int, when: When) -> Trap:
    """Trap the n-th PATCH of a resource, counted from 1."""
    seen = 0

    def meets(call: Any) -> bool:
        nonlocal seen
        hit = tuple(call.counted) == ("patch", resource, subresource)
        seen += hit
        return hit and seen == occurrence

    trap = Trap(meets)
    kube.intercept(**{when: trap})
    return trap


def set_for_opensearch(ml: FakeMLCommons, operation: str, *, when: When) -> Trap:
    """Trap the first request of an operation."""
    trap = Trap(lambda call: call.operation == operation)
    if when == "before":
        ml.before = trap
    else:
        ml.after = trap
    return trap
