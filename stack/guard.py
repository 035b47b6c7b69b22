"""A tiny process that ends the stack's servers when their owner has died without ending them (kill -9).

It reads `+PID` and `-PID` lines from its standard input, whose only other end is the owner's. When that end
closes, it kills the process groups that are still listed. Linux could do this with PR_SET_PDEATHSIG, but that
signal comes when the *thread* that started the child ends, and the stack starts its parts in threads.
Run as a file, with the standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Follow the owner's list until the owner is gone, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            groups.add(pid)
        else:
            groups.discard(pid)
    for pid in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
