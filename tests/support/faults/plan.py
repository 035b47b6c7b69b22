"""What is to go wrong, as data: it can be saved, read again, and run again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self


class Variant(StrEnum):
    """What becomes of a call."""

    KILL_BEFORE = "V1 kill before"
    KILL_AFTER = "V2 kill after"
    ZOMBIE = "V3 kill, deliver later"
    RESET = "V4 reset after"
    TRUNCATE = "V5 truncate"
    APPLIED_500 = "V6 500 after success"
    APPLIED_502 = "V6 502 after success"
    APPLIED_503 = "V6 503 after success"
    APPLIED_504 = "V6 504 after success"
    REFUSED_401 = "V7 401"
    REFUSED_403 = "V7 403"
    REFUSED_404 = "V7 404"
    REFUSED_409 = "V7 409"
    REFUSED_429 = "V7 429"
    REFUSED_429_LATER = "V7 429 Retry-After"
    REFUSED_500 = "V7 500"
    REFUSED_503 = "V7 503"
    TWICE = "V8 twice"
    LATE = "V9 late answer"

    @property
    def kills(self) -> bool:
        """Whether the operator dies of it."""
        return self in KILLS

    @property
    def status(self) -> int:
        """The status that is answered instead of the true one."""
        return int(self.value.split()[1])


KILLS = (Variant.KILL_BEFORE, Variant.KILL_AFTER, Variant.ZOMBIE)
APPLIED = (Variant.APPLIED_500, Variant.APPLIED_502, Variant.APPLIED_503, Variant.APPLIED_504)
REFUSED = tuple(each for each in Variant if each.name.startswith("REFUSED"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Spoils one call. `call` is its name and the number of its occurrence: `kube: patch ... #1`.

    Occurrences are counted from when the workload begins, those of a second fault from the first fault on.
    """

    call: str
    variant: Variant
    victim: int = 0
    """Which operator a kill hits, where there are several."""

    def __str__(self) -> str:
        victim = f" (operator {self.victim})" if self.victim else ""
        return f"{self.variant} at {self.call}{victim}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: a workload, the faults in it, and what the random numbers begin with."""

    workload: str
    faults: tuple[Fault, ...] = ()
    seed: int = 1

    def __str__(self) -> str:
        return f"{self.workload}: {', then '.join(map(str, self.faults)) or 'no fault'}"

    def save(self, path: Path) -> None:
        """Write the plan to a file."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a plan; raises ValueError or KeyError for what is none."""
        raw = json.loads(path.read_text("utf-8"))
        faults = (
            Fault(each["call"], Variant(each["variant"]), each.get("victim", 0)) for each in raw["faults"]
        )
        return cls(raw["workload"], tuple(faults), raw.get("seed", 1))
