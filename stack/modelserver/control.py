"""What the model server remembers, and the faults that it was told to have."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

REQUESTS_KEPT = 50_000


class RecordedRequest(BaseModel):
    """A request as it came: `time` in Unix seconds, `body` the parsed JSON, or the text when it is none."""

    model_config = ConfigDict(frozen=True)

    number: int
    time: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None


class Fault(BaseModel):
    """How requests of a path go wrong: `delay_seconds` first, then a cut connection or the status.

    With neither the answer is only late. `body` replaces the error body. `times` is how many requests it
    hits, None for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    status: int | None = Field(default=None, ge=100, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    delay_seconds: float = Field(default=0, ge=0)
    cut: bool = False
    body: Any = None
    times: int | None = Field(default=None, ge=1)


class Keys(BaseModel):
    """The API keys that are accepted, None for no check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: frozenset[str] | None


@dataclass(slots=True)
class Control:
    """The state behind /_control."""

    requests: deque[RecordedRequest] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    keys: Keys = field(default_factory=lambda: Keys(accepted=None))
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _faults: dict[str, Fault] = field(default_factory=dict)

    def record(self, *, time: float, method: str, path: str, headers: dict[str, str], body: Any) -> None:
        """Remember a request under the next number."""
        number = next(self._numbers)
        self.requests.append(
            RecordedRequest(number=number, time=time, method=method, path=path, headers=headers, body=body)
        )

    def set_fault(self, fault: Fault) -> None:
        """Have a fault from now on; a path has one at a time."""
        self._faults[fault.path] = fault

    def clear_faults(self) -> None:
        """Have no faults."""
        self._faults.clear()

    def take_fault(self, path: str) -> Fault | None:
        """Return the fault of this request, None for a good one, and count it."""
        fault = self._faults.get(path)
        if fault is not None and fault.times is not None:
            if fault.times == 1:
                del self._faults[path]
            else:
                self._faults[path] = fault.model_copy(update={"times": fault.times - 1})
        return fault

    def accepts(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header carries an accepted key."""
        if self.keys.accepted is None:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and key in self.keys.accepted
