"""Start the stack's child processes and end every one of them, whatever happens to their owner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from stack import guard

POLL_SECONDS = 0.05
TAIL_LINES = 30


class ClosedError(Exception):
    """The stack is being ended: nothing new may start."""


def tail(log_file: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, for an error text."""
    if not log_file.is_file():
        return ""
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])


class Processes:
    """The children of one stack. A context manager: none of them outlives it.

    Each child has its own session and process group: the terminal's Ctrl-C reaches the owner alone, and a
    child's own children end with it. A guard process ends them all when the owner is killed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(
        self,
        command: Sequence[str | Path],
        log_file: Path,
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child that writes to the end of the log file. Raises ClosedError after close()."""
        with self._lock, log_file.open("ab") as log:
            self.check_open()
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
            self._running.append(child)
            self._tell_guard(f"+{child.pid}")
            return child

    def end(self, child: subprocess.Popen[bytes], *, seconds: float) -> None:
        """End a child and its group: SIGTERM, and SIGKILL for what is left after that many seconds."""
        signal_group(child, signal.SIGTERM)
        signal_group(child, signal.SIGCONT)  # a paused process would keep the SIGTERM waiting
        deadline = time.monotonic() + seconds
        while not has_ended(child) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self._kill(child)

    def check_open(self) -> None:
        """Raise ClosedError after close()."""
        if self._closed:
            raise ClosedError("the local stack is being ended")

    def close(self) -> None:
        """Kill every child that still runs.

        At once and without SIGTERM: their data is thrown away, and an API server whose etcd has gone would
        not end for a minute.
        """
        with self._lock:
            self._closed = True
            for child in self._running:
                signal_group(child, signal.SIGKILL)
        for child in tuple(self._running):
            self._kill(child)
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            self._guard.stdin.close()
        self._guard.wait()

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        signal_group(child, signal.SIGKILL)
        child.wait()
        with self._lock:
            if child in self._running:
                self._running.remove(child)
                self._tell_guard(f"-{child.pid}")

    def _tell_guard(self, line: str) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has ended, and leave it a zombie.

    Its number then stays taken until end() has signalled the group: no stranger can be hit.
    """
    if child.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # another thread has just ended it
        return True


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a child and its own children, unless the child was ended and waited for before."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
