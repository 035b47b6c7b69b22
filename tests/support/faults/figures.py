"""What runs have shown, kept in a file, and as the tables of `docs/reliability.md`.

Each part of the file is replaced by the next run of the same name; the page is written from the file alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from .bench import Result
from .plan import KILLS

RESULTS: Final = Path("crash-results/latest.json")
PAGE: Final = Path("docs/reliability.md")


@dataclass(slots=True)
class Row:
    """What has become of the plans of one workload."""

    name: str
    plans: int = 0
    passed: int = 0
    failed: int = 0
    idle: int = 0
    """Plans whose call did not come: run and checked, but not counted as passed."""
    seconds: float = 0.0
    converged: list[float] = field(default_factory=list)
    """Seconds from the last fault to rest, of all that passed."""
    known: list[float] = field(default_factory=list)
    """The same after a kill, where each id in OpenSearch was on record."""
    in_doubt: list[float] = field(default_factory=list)
    """The same after a kill while a create had no recorded answer."""

    def add(self, result: Result) -> None:
        """Count a result."""
        self.plans += 1
        if result.problems:
            self.failed += 1
        elif not result.reached:
            self.idle += 1
        else:
            self.passed += 1
            self.converged.append(result.converged)
            if result.plan.faults[-1].variant in KILLS:
                (self.in_doubt if result.in_doubt else self.known).append(result.converged)

    def __str__(self) -> str:
        numbers = f"{self.plans:6} {self.passed:7} {self.failed:7} {self.idle:8}"
        return f"{self.name:22} {numbers} {self.seconds:7.0f} s {quantile(self.converged, 0.99):7.1f} s"


HEAD: Final = "workload                plans  passed  failed  no call      time       p99"


def total(rows: Iterable[Row], name: str = "all") -> Row:
    """Add rows up."""
    result = Row(name)
    for row in rows:
        result.plans += row.plans
        result.passed += row.passed
        result.failed += row.failed
        result.idle += row.idle
        result.seconds += row.seconds
        result.converged += row.converged
        result.known += row.known
        result.in_doubt += row.in_doubt
    return result


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so many are not above; 0 when there is none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)] if ordered else 0.0


def keep(part: str, found: Mapping[str, Any], path: Path = RESULTS) -> None:
    """Put what was found into the file, beside what stands there of other runs."""
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    merged = {**known, part: {**known.get(part, {}), **found}}
    path.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", "utf-8")


def keep_rows(part: str, rows: Iterable[Row], path: Path = RESULTS) -> None:
    """Keep the rows of a run of plans."""
    keep(part, {row.name: asdict(row) for row in rows}, path)


def write_page(page: Path = PAGE, path: Path = RESULTS) -> None:
    """Replace the tables of the page by those of the file; each stands between two comments.

    Raises KeyError when the file lacks a part that the page shows.
    """
    found = json.loads(path.read_text("utf-8"))

    def table(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- figures: {name} -->\n{_TABLES[name](found)}\n<!-- end -->"

    text = re.sub(
        r"<!-- figures: (\w+) -->\n.*?<!-- end -->", table, page.read_text("utf-8"), flags=re.DOTALL
    )
    page.write_text(text, "utf-8")


def _plans(part: str, found: Mapping[str, Any]) -> str:
    rows = [Row(**each) for each in found[part].values()]
    lines = [
        "| workload | plans | passed | failed | the call did not come |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in [*rows, total(rows, "**all**")]:
        name = row.name if row.name.startswith("**") else f"`{row.name}`"
        lines.append(f"| {name} | {row.plans:,} | {row.passed:,} | {row.failed} | {row.idle} |")
    return "\n".join(lines)


def _recovery(found: Mapping[str, Any]) -> str:
    lines = [
        "| from | to | where | times | p50 | p99 | longest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for what, values in _recoveries(found):
        if not values:
            continue
        numbers = (quantile(values, 0.5), quantile(values, 0.99), max(values))
        lines.append(f"| {what} | {len(values)} | {' | '.join(f'{each:.1f} s' for each in numbers)} |")
    return "\n".join(lines)


def _recoveries(found: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[float]]]:
    for part, where in (("fakes", "fakes"), ("live", "real servers")):
        row = total(Row(**each) for each in found.get(part, {}).values())
        yield f"killed, all ids on record | at rest | {where}", row.known
        yield f"killed, a create without an answer | at rest | {where}", row.in_doubt
    for each in found.get("measured", {}).values():
        yield f"{each['from']} | {each['to']} | real servers", each["seconds"]


def _storms(found: Mapping[str, Any]) -> str:
    lines = [
        "| where | seed | sets | kills | calls with an effect | breaches | last kill to rest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for where, each in found["storms"].items():
        numbers = (each["seed"], each["sets"], each["kills"], f"{each['effects']:,}", len(each["problems"]))
        lines.append(f"| {where} | {' | '.join(map(str, numbers))} | {each['converged']:.0f} s |")
    return "\n".join(lines)


_TABLES: Final = {
    "fakes": lambda found: _plans("fakes", found),
    "live": lambda found: _plans("live", found),
    "recovery": _recovery,
    "storms": _storms,
}
