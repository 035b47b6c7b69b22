"""Prometheus' text format (0.0.4) for metrics with a hundred thousand series.

The client's library makes an object of each sample before it writes the first: with 10,000 models seconds,
and more memory than all else that the operator has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, Literal

_BLOCK: Final = 1000
"""Lines that are written at once."""
_LABEL: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, and its samples: labels as `labels` writes them, and a value; read once."""

    name: str
    text: str
    samples: Iterable[tuple[str, float]]
    type: Literal["gauge", "counter"] = "gauge"

    def lines(self) -> Iterator[str]:
        """Write line by line."""
        yield f"# HELP {self.name} {self.text.translate(_HELP)}\n"
        yield f"# TYPE {self.name} {self.type}\n"
        for labels_, value in self.samples:
            yield f"{self.name}{{{labels_}}} {float(value)}\n" if labels_ else f"{self.name} {float(value)}\n"


def labels(**values: str) -> str:
    """Write names and values, of which any text is one."""
    return ",".join([f'{name}="{value.translate(_LABEL)}"' for name, value in values.items()])


def write(families: Iterable[Family]) -> Iterator[bytes]:
    """Write block by block, so that never all of it has to be there at once."""
    lines = chain.from_iterable(each.lines() for each in families)
    while block := "".join(islice(lines, _BLOCK)):
        yield block.encode()
