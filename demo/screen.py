"""What the person in front of the demo sees: steps, what happens in them, and how long each took."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TextIO

WIDTH = 118
INDENT = "    "


class NotSeenError(Exception):
    """Something that the demo promises did not happen; the text says what was expected.

    `about` are the resources (`kind/name`) that kubectl can tell more of.
    """

    def __init__(self, expected: str, *about: str) -> None:
        super().__init__(expected)
        self.about = about


@dataclass(frozen=True, slots=True)
class Screen:
    """Prints to a stream; `clock` counts seconds."""

    out: TextIO
    clock: Callable[[], float]

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=self.out, flush=True)

    def detail(self, line: str, *, hanging: str = "") -> None:
        """Print a line that belongs to the running step; when it is long, in several lines."""
        wrapper = textwrap.TextWrapper(
            WIDTH,
            initial_indent=INDENT,
            subsequent_indent=INDENT + hanging,
            break_on_hyphens=False,  # an id stays whole: people copy it
            break_long_words=False,
        )
        self.say(wrapper.fill(line))

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Print the title, then what the step reports, then whether it was seen and how long it took."""
        self.say(f"▸ {title}")
        began = self.clock()
        step = Step(self, began)
        try:
            yield step
        except Exception:
            self.say(f"  ✗ not seen after {self.clock() - began:.1f} s")
            raise
        self.say(f"  ✓ {step.seen} ({self.clock() - began:.1f} s)")


@dataclass(slots=True)
class Step:
    """One step that is running. `seen` is what its last line says when all went well."""

    screen: Screen
    began: float
    seen: str = "done"

    def detail(self, line: str) -> None:
        """Print a line of the step."""
        self.screen.detail(line)

    def moment(self, line: str) -> None:
        """Print a line with the seconds since the step began."""
        time = f"{self.screen.clock() - self.began:5.1f} s  "
        self.screen.detail(time + line, hanging=" " * len(time))
