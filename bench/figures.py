"""What is measured, and how several runs of the same thing are told in one line."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figures:
    """One step of one run. Times in seconds, memory in MiB; None where there is nothing to measure."""

    driver: str
    step: str
    sets: int
    wall: float
    requests: Mapping[str, int]
    """Requests to OpenSearch by operation."""
    cpu: float | None = None
    memory: float | None = None
    """What the process has at the end of the step."""
    peak: float | None = None
    """The most that it has had so far."""
    writes: Mapping[str, int] | None = None
    """Writes to the API server by resource, kopf's finalizers left out."""
    servers: Mapping[str, float] = field(default_factory=dict)
    """CPU of the servers on the same machine meanwhile."""
    latencies: Sequence[float] = field(default=())
    """From apply to Ready, of each set."""
    refused: int = 0
    """Answers 429, and those of a server that has too many tasks."""
    stuck: int = 0
    """Models whose deploy did not come to an end."""
    spare: int = 0
    """Models in OpenSearch that belong to no set."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the most of several runs."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread; None of no values."""
        return cls(min(values), statistics.median(values), max(values)) if values else None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values is; the highest for 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
