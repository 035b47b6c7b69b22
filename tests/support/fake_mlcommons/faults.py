"""What can be made to go wrong, request by request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Fault:
    """Spoils the next `times` requests of an operation ("*" is all).

    With `status` it is answered so, with `cut` the connection is cut, with `hang` no answer comes until the
    fake closes. `carried_out`: the request takes effect first. `body` replaces the usual JSON error.
    """

    operation: str
    times: int = 1
    status: int | None = None
    reason: str = "the fake was told to fail"
    body: str | None = None
    retry_after: int | None = None
    cut: bool = False
    hang: bool = False
    carried_out: bool = False


@dataclass(slots=True)
class Hold:
    """Keeps the next request of an operation back until `release`: then it takes effect, sender or not."""

    operation: str
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let the request go on; `done` is set when it has taken effect."""
        self._released.set()

    async def wait(self) -> None:
        """Be held."""
        self.arrived.set()
        await self._released.wait()


class Faults:
    """The faults that wait for their request."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._holds: list[Hold] = []

    def add(self, fault: Fault) -> None:
        """Wait for the next requests."""
        self._faults.append(fault)

    def add_hold(self, hold: Hold) -> None:
        """Wait for the next request."""
        self._holds.append(hold)

    def clear(self) -> None:
        """Forget the faults that have not come to pass, and let go what is held."""
        self._faults.clear()
        for hold in self._holds:
            hold.release()

    def take(self, operation: str) -> Fault | None:
        """Return the fault of this request, one time less."""
        for fault in self._faults:
            if fault.operation in {operation, "*"}:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def take_hold(self, operation: str) -> Hold | None:
        """Return the hold of this request."""
        for hold in self._holds:
            if hold.operation == operation and not hold.arrived.is_set():
                return hold
        return None
