"""The terminal: what a command prints, and what it is given from outside."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

WIDTH = 116


@dataclass(frozen=True, slots=True)
class Shell:
    """Results go to `out`, everything else to `err`."""

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]
    prog: str = "opensearch-ml"
    clock: Callable[[], float] = time.monotonic
    """Monotonic, in seconds."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def say(self, line: str = "") -> None:
        """Print a line of the result."""
        print(line, file=self.out, flush=True)

    def tell(self, line: str) -> None:
        """Print what is no result: a warning, an error, what is waited for."""
        print(line, file=self.err, flush=True)

    def progress(self, line: str) -> None:
        """Show what takes a while, in one line that the next one replaces; only to a person."""
        if self.err.isatty():
            self.err.write(f"\r\x1b[K{line}")
            self.err.flush()

    def document(self, value: Any) -> None:
        """Print a JSON document."""
        self.say(json.dumps(value, indent=2, ensure_ascii=False))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows under a head, as `kubectl get` does."""
        lines = [tuple(head), *(tuple(row) for row in rows)]
        widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
        for line in lines:
            padded = "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.say(padded.rstrip())


def ago(then: str | None, now: datetime) -> str:
    """Return a time as kubectl shows ages: `5s`, `3m`, `2h`, `4d`."""
    try:
        seconds = int((now - datetime.fromisoformat(then or "")).total_seconds())
    except (ValueError, TypeError):
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
