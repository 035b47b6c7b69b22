"""What goes wrong on purpose: which requests, how often, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .calls import Call


@dataclass(slots=True)
class Fault:
    """Meets requests for a resource; with an empty field it meets all. Used up after `times`, never with -1.

    `status` answers without doing anything, `cut` drops the connection before or after doing it, `delay`
    (seconds) holds a request back before anything else.
    """

    verb: str = ""
    resource: str = ""
    subresource: str | None = None
    name: str = ""
    status: int | None = None
    retry_after: int | None = None
    body: bytes | None = None
    cut: Literal["before", "after"] | None = None
    delay: float = 0
    times: int = 1

    def meets(self, call: Call) -> bool:
        counted = call.counted
        return (
            self.verb in {"", counted.verb}
            and self.resource in {"", counted.resource}
            and self.subresource in {None, counted.subresource}
            and self.name in {"", call.name}
        )


class Faults:
    """The faults to come, first come first served."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, call: Call) -> Fault | None:
        """Return the fault that this request meets, and count it."""
        for fault in self._faults:
            if fault.meets(call):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None
