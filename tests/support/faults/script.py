"""Which call is spoiled when, and how: counts occurrences, and hands out the faults of a plan in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .plan import Fault
from .wire import Request, Response


class Scripts(Protocol):
    """Says which script a request falls under."""

    def of(self, request: Request) -> Script:
        """Return the script."""

    def learn(self, request: Request, response: Response) -> None:
        """Take note of what an answer says of whose an object is."""


@dataclass(slots=True)
class Script:
    """The faults to come; without any it only counts. `kill` ends an operator, at once."""

    kill: Callable[[int], None] = lambda _: None
    faults: list[Fault] = field(default_factory=list)
    fired: list[Fault] = field(default_factory=list)
    zombies: int = 0
    """Requests that have still to be delivered."""
    team: str = ""
    _counts: Counter[str] = field(default_factory=Counter)

    def of(self, request: Request) -> Script:  # noqa: ARG002 - others tell by the request
        """Return the script that a request falls under."""
        return self

    def learn(self, request: Request, response: Response) -> None:
        """Take note of what an answer says of whose an object is."""

    def arm(self, faults: Sequence[Fault]) -> None:
        """Begin to count, and spoil these calls."""
        self.faults = list(faults)
        self._counts.clear()

    def label(self, name: str) -> str:
        """Return the name of a call with the number of its occurrence."""
        self._counts[name] += 1
        return f"{name} #{self._counts[name]}"

    def take(self, label: str) -> Fault | None:
        """Return the fault for a call, and count anew for the next one."""
        if not self.faults or self.faults[0].call != label:
            return None
        fault = self.faults.pop(0)
        self.fired.append(fault)
        self._counts.clear()
        return fault
