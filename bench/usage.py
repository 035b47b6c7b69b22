"""What a process has used so far, as Linux tells it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPENSEARCH: Final = "OpenSearch"
TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Places in /proc/PID/stat behind the name, as proc(5) counts them less three."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU in seconds, memory in MiB: now, and the most there was."""

    cpu: float
    memory: float
    peak: float


def usage(pid: int) -> Usage:
    """Return what a running process has used. Raises FileNotFoundError when it is gone."""
    folder = Path("/proc") / str(pid)
    after_name = (folder / "stat").read_text().rpartition(")")[2].split()
    kibibytes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in (folder / "status").read_text().splitlines())
        if name in {"VmRSS", "VmHWM"}
    }
    return Usage(
        cpu=(int(after_name[_UTIME]) + int(after_name[_STIME])) / TICKS,
        memory=kibibytes["VmRSS"] / 1024,
        peak=kibibytes["VmHWM"] / 1024,
    )


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers that work beside a driver on the same processors, by name: their processes."""

    pids: Mapping[str, int]

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each has used so far."""
        return {name: usage(pid).cpu for name, pid in self.pids.items()}

    def since(self, before: Mapping[str, float]) -> dict[str, float]:
        """Return the CPU seconds that each has used since then."""
        return {name: cpu - before[name] for name, cpu in self.cpu().items()}
