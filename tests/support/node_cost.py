"""What a container takes of its node, read from its control groups of either version, as the kubelet does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from support.node_release import Pod

CGROUPS = Path("/sys/fs/cgroup")
MIB = 2**20


@dataclass
class Usage:
    """Memory and processor time of one container. `peak` is the most memory of all looks so far."""

    container: str
    peak: int = field(default=0, init=False)

    @classmethod
    def of(cls, pod: Pod) -> Usage:
        """Return the usage of the one container of a pod."""
        return cls(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://"))

    def memory(self) -> int:
        """Return the working set in bytes: what counts against the limit and can not be given back."""
        current, idle = self._file("memory.current", "memory.usage_in_bytes"), "inactive_file"
        if current.name == "memory.usage_in_bytes":
            idle = "total_inactive_file"
        stat = dict(line.split() for line in (current.parent / "memory.stat").read_text().splitlines())
        now = int(current.read_text()) - int(stat[idle])
        self.peak = max(self.peak, now)
        return now

    def cpu_seconds(self) -> float:
        """Return the processor time since the container's start."""
        found = self._file("cpu.stat", "cpuacct.usage")
        if found.name == "cpuacct.usage":
            return int(found.read_text()) / 1e9
        return int(dict(line.split() for line in found.read_text().splitlines())["usage_usec"]) / 1e6

    def _file(self, *names: str) -> Path:
        tops = [CGROUPS / "kubepods", CGROUPS / "memory" / "kubepods", CGROUPS / "cpuacct" / "kubepods"]
        found = [file for top in tops for name in names for file in top.glob(f"**/{self.container}/{name}")]
        return found[0]
