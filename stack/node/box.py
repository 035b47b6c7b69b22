"""The box that a node lives in: its own mounts, network and processes, and a wire to the machine.

All of it hangs on one process. When that is killed, every process, pod, mount and link of the box is gone.
Pods have no way out of the machine: it forwards nothing for them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack.cache import Say
from stack.network import Network
from stack.node import init
from stack.process import POLL_SECONDS, Processes
from stack.server import Server, ServerError

NETWORK: Final = Network("10.201.0.1", "10.202.0.0/24", node="local", service="opensearch.search.svc")
"""Pods reach the machine at this address alone. It is on the loopback device, so that servers which listen
there outlive the wire."""
ADDRESS: Final = "10.201.0.2"
PODS: Final = "10.200.0.0/24"
MACHINES_END, NODES_END = "ml-machine", "ml-node"
CGROUPS = Path("/sys/fs/cgroup")
SECONDS = 20.0


@dataclass(slots=True)
class Box:
    """A box that can be started again after it was stopped: a node whose power was cut."""

    folder: Path
    processes: Processes
    environ: Mapping[str, str]
    _init: Server = field(init=False)

    def __post_init__(self) -> None:
        marker = self.folder / "ready"
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._init = Server(
            self.processes,
            "box of the node",
            [*command, "--propagation=private", sys.executable, "-I", "-S", init.__file__, marker],
            self.folder / "box.log",
            env=self.environ,
            ready=marker.exists,
            ready_seconds=SECONDS,
        )

    def start(self) -> None:
        """Start the box and lay the wire. Raises ServerError."""
        (self.folder / "ready").unlink(missing_ok=True)
        self._init.start()
        owner = str(self._init.pid)
        _run("ip", "link", "add", MACHINES_END, "type", "veth", "peer", "name", NODES_END, "netns", owner)
        _run("ip", "link", "set", MACHINES_END, "up")
        _run("ip", "route", "replace", ADDRESS, "dev", MACHINES_END, "src", NETWORK.address)
        for subnet in (PODS, NETWORK.services):
            route = [subnet, "via", ADDRESS, "dev", MACHINES_END, "onlink", "src", NETWORK.address]
            _run("ip", "route", "replace", *route)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{ADDRESS}/30", "dev", NODES_END)
        self.run("ip", "link", "set", NODES_END, "up")
        self.run("ip", "route", "add", "default", "via", NETWORK.address)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def stop(self) -> None:
        """Kill everything in the box, and return when it is gone."""
        if not self._init.is_running():
            return
        owner = self._init.pid
        first = Path(f"/proc/{owner}/task/{owner}/children").read_text().split()
        self._init.stop(seconds=0)
        # The kernel lets the first process of a box go only after all others.
        _wait_until_gone([Path("/proc", pid) for pid in first])
        _run("ip", "link", "delete", MACHINES_END, may_fail=True)

    def entered(self, *command: str | Path) -> list[str | Path]:
        """Return the command line that runs a command in the box."""
        namespaces = f"/proc/{self._init.pid}/ns"
        where = [f"--mount={namespaces}/mnt", f"--net={namespaces}/net"]
        return ["nsenter", *where, f"--pid={namespaces}/pid_for_children", "--", *command]

    def run(self, *command: str | Path) -> str:
        """Run a command in the box and return what it printed. Raises ServerError with its error text."""
        return _run(*self.entered(*command))


@contextlib.contextmanager
def open_box(
    folder: Path, processes: Processes, environ: Mapping[str, str], lock: Path, say: Say
) -> Iterator[Box]:
    """Start a box; at the end nothing of it is left on the machine. One at a time: addresses are fixed.

    An owner that is killed leaves the address and empty control groups, which the next run takes over.
    """
    with one_at_a_time(lock, say):
        box = Box(folder, processes, environ)
        try:
            _run("ip", "address", "replace", f"{NETWORK.address}/32", "dev", "lo")
            box.start()
            yield box
        finally:
            box.stop()
            _run("ip", "address", "delete", f"{NETWORK.address}/32", "dev", "lo", may_fail=True)
            _remove_cgroups()


@contextlib.contextmanager
def one_at_a_time(lock: Path, say: Say) -> Iterator[None]:
    """Hold the lock, which ends with its holder; wait for another one."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run's node …")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _remove_cgroups() -> None:
    """Remove the kubelet's groups: one tree for each controller (v1), or one for all (v2)."""
    for top in [CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")]:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()


def _wait_until_gone(paths: Sequence[Path]) -> None:
    deadline = time.monotonic() + SECONDS
    while left := [path for path in paths if path.exists()]:
        if time.monotonic() > deadline:
            raise ServerError(f"still there after {SECONDS:.0f} s: {', '.join(map(str, left))}")
        time.sleep(POLL_SECONDS)


def _run(*command: str | Path, may_fail: bool = False) -> str:
    answer = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if answer.returncode != 0 and not may_fail:
        raise ServerError(f"{' '.join(map(str, command))}: {answer.stderr.strip()}")
    return answer.stdout
