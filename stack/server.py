"""One server of the stack: started, waited for, stopped, paused and started again at the same address."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack.process import POLL_SECONDS, Processes, has_ended, signal_group, tail


class ServerError(Exception):
    """A server ended, or was not ready in time; the text has the end of its log."""


@dataclass(slots=True)
class Server:
    """A server process that can be started any number of times with the same command.

    `ready` tells whether it serves; it is asked until it says so or `ready_seconds` have passed.
    """

    processes: Processes
    name: str
    command: Sequence[str | Path]
    log_file: Path
    env: Mapping[str, str]
    ready: Callable[[], bool]
    ready_seconds: float
    cwd: Path | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the process; return when it is ready. Raises ServerError when it ends or takes too long."""
        if self.is_running():
            raise ServerError(f"{self.name} runs already")
        self._child = self.processes.start(self.command, self.log_file, env=self.env, cwd=self.cwd)
        deadline = time.monotonic() + self.ready_seconds
        while not self.ready():
            self.processes.check_open()
            if has_ended(self._child):
                raise ServerError(self._explain("ended before it was ready"))
            if time.monotonic() > deadline:
                raise ServerError(self._explain(f"was not ready within {self.ready_seconds:.0f} s"))
            time.sleep(POLL_SECONDS)

    @property
    def pid(self) -> int:
        """The number of the process. Raises ServerError when there is none."""
        if self._child is None:
            raise ServerError(f"{self.name} does not run")
        return self._child.pid

    def is_running(self) -> bool:
        """Tell whether the process is there (ready, paused or not)."""
        return self._child is not None and not has_ended(self._child)

    def stop(self, *, seconds: float = 20) -> None:
        """End the process by SIGTERM, or by SIGKILL after that many seconds; 0 is a crash."""
        if self._child is not None:
            self.processes.end(self._child, seconds=seconds)
            self._child = None

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): it keeps its connections and answers nothing. Raises ServerError."""
        child = self._signal(signal.SIGSTOP)
        try:
            # Its threads stop one by one; this returns when the last stands still.
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        except ChildProcessError:
            raise ServerError(f"{self.name} has ended") from None

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> subprocess.Popen[bytes]:
        if self._child is None or has_ended(self._child):
            raise ServerError(f"{self.name} does not run")
        signal_group(self._child, number)
        return self._child

    def _explain(self, what: str) -> str:
        return f"{self.name} {what}; the end of {self.log_file}:\n{tail(self.log_file)}"
