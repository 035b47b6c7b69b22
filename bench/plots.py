"""Pictures of what was measured: what a set costs against the number of sets, and how soon sets are Ready.

`python -m bench.plots FOLDER FILE...` draws the JSON files of `make bench`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 70, 40, 180, 50
COLOURS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f")
TICKS: Final = 5
PERCENT: Final = 100.0
WORK: Final = ("create", "edit", "rotate", "delete")
"""Steps whose cost is that of the sets alone: a start, or a time that passes, has one of its own."""

Point: TypeAlias = tuple[float, float]
Run: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines through points; the x axis has a place for each of `names`, or numbers when there are none."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[Point]]
    names: Sequence[str] = ()

    def svg(self) -> str:
        """Draw it."""
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        most_x = max(len(self.names) - 1, 1) if self.names else _most(x for x, _ in self._points())
        most_y = _most(y for _, y in self._points())

        def place(point: Point) -> str:
            return f"{LEFT + width * point[0] / most_x:.1f},{TOP + height * (1 - point[1] / most_y):.1f}"

        parts = [_text(WIDTH / 2, 20, self.title, size=15)]
        for tick in range(TICKS + 1):
            level = TOP + height * (1 - tick / TICKS)
            parts.append(f'<path d="M{LEFT} {level:.1f}h{width}" stroke="#ddd"/>')
            parts.append(_text(LEFT - 8, level + 4, f"{most_y * tick / TICKS:.3g}", anchor="end"))
        names = self.names or [f"{most_x * tick / TICKS:.3g}" for tick in range(TICKS + 1)]
        for number, name in enumerate(names):
            parts.append(_text(LEFT + width * number / max(len(names) - 1, 1), HEIGHT - BOTTOM + 18, name))
        parts.append(_text(LEFT + width / 2, HEIGHT - 12, self.x))
        parts.append(_text(LEFT, TOP - 10, self.y, anchor="start"))
        for number, (name, points) in enumerate(self.lines.items()):
            colour, row = COLOURS[number % len(COLOURS)], TOP + 20 * number + 10
            path = " ".join(map(place, points))
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(f'<path d="M{WIDTH - RIGHT + 15} {row}h20" stroke="{colour}" stroke-width="3"/>')
            parts.append(_text(WIDTH - RIGHT + 42, row + 4, name, anchor="start"))
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>", ""])

    def _points(self) -> Iterable[Point]:
        return (point for points in self.lines.values() for point in points)


def latencies(runs: Sequence[Run], sets: int) -> Chart:
    """Return which share of that many sets is Ready after how many seconds, over all runs of each driver."""
    ready: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run["step"] == "create" and run["sets"] == sets:
            ready[run["driver"]] += run["latencies"]
    lines = {
        driver: [(seconds, PERCENT * (number + 1) / len(all_)) for number, seconds in enumerate(sorted(all_))]
        for driver, all_ in sorted(ready.items())
    }
    return Chart(f"Applied to Ready, {sets} sets", "seconds", "% of the sets", lines)


def costs(runs: Sequence[Run]) -> Chart:
    """Return the operator's processor time for one set in each step that is work, by the number of sets."""
    spent: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run["cpu"] is not None and run["step"] in WORK:
            spent[run["step"]][run["sets"]].append(1000 * run["cpu"] / run["sets"])
    sizes = sorted({sets for by_size in spent.values() for sets in by_size})
    lines = {
        step: [(sizes.index(sets), median(values)) for sets, values in sorted(by_size.items())]
        for step, by_size in spent.items()
    }
    names = [f"{sets:,}" for sets in sizes]
    return Chart("Processor time of the operator", "sets", "ms for each set", lines, names)


def main() -> int:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("files", type=Path, nargs="+", help="JSON files of make bench")
    parser.add_argument("--sets", type=int, default=100, help="number of sets whose latencies are drawn")
    chosen = parser.parse_args()
    runs = [run for file in chosen.files for run in json.loads(file.read_text())]
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "ready.svg").write_text(latencies(runs, chosen.sets).svg())
    (chosen.folder / "cost.svg").write_text(costs(runs).svg())
    return 0


def _most(values: Iterable[float]) -> float:
    return max(values, default=0.0) or 1.0


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


if __name__ == "__main__":
    sys.exit(main())
