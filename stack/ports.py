"""Ports of 127.0.0.1 that stay ours for the whole life of a stack."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
from pathlib import Path
from typing import Self

# Below the kernel's ephemeral range: while a server is stopped, nobody's outgoing connection takes its port.
FIRST, LAST = 20_000, 29_999


class Ports:
    """Hands out free ports. Each is locked by a file, so that two stacks at once never get the same one."""

    def __init__(self, locks: Path, chance: random.Random) -> None:
        self._locks = locks
        self._chance = chance
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._locks.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def take(self) -> int:
        """Return a port that nobody listens on, held until the context ends."""
        while True:
            port = self._chance.randint(FIRST, LAST)
            lock = os.open(self._locks / str(port), os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            if _is_free(port):
                self._held.callback(os.close, lock)
                return port
            os.close(lock)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
