"""The first process of a node's box: it prepares the mounts, and buries what nobody else waits for.

Run as a file, with the standard library alone, by `unshare --pid --fork`. When it ends, the kernel ends every
process of the box.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

EMPTY = ("/run", "/var/lib/cni")
"""Sockets and names of networks, which must neither meet the machine's nor outlive the box."""


def main() -> None:
    """Prepare the box, say so by a file, and wait until somebody kills it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for folder in EMPTY:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "tmpfs", folder)
    _mount("--make-rshared", "/")  # what the kubelet mounts for a pod has to reach the container
    Path(sys.argv[1]).touch()
    while True:
        signal.sigwait({signal.SIGCHLD})
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)  # noqa: S607 - the PATH is that of the stack


if __name__ == "__main__":
    main()
