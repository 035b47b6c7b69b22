"""`make crash` runs every plan and prints one table; `make crash PLAN=FILE` runs one and tells its story."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import campaign
from .bench import Result, run
from .plan import Plan
from .workloads import WORKLOADS, Workload

FAILED: Final = Path("crash-plans")
"""Where failing plans are saved."""
_SAY_EVERY: Final = 50


@dataclass(slots=True)
class Row:
    """One line of the table."""

    name: str
    plans: int = 0
    passed: int = 0
    failed: int = 0
    idle: int = 0
    """Plans whose call did not come: run and checked, but not counted as passed."""
    seconds: float = 0.0
    converged: list[float] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a result."""
        self.plans += 1
        if result.problems:
            self.failed += 1
        elif result.reached:
            self.passed += 1
            self.converged.append(result.converged)
        else:
            self.idle += 1

    def __str__(self) -> str:
        times = sorted(self.converged) or [0.0]
        p99 = times[int(len(times) * 0.99) - (1 if len(times) > 99 else 0)]
        numbers = f"{self.plans:6} {self.passed:7} {self.failed:7} {self.idle:8}"
        return f"{self.name:22} {numbers} {self.seconds:7.0f} s {p99:7.1f} s"


HEAD: Final = "workload                plans  passed  failed  no call      time       p99"


def main() -> int:
    """Run what the command line asks for; the exit status is 1 when a plan has failed."""
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("plan", nargs="?", type=Path, help="run this saved plan alone")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="some of: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="plans that run side by side")
    parser.add_argument("--seed", type=int, default=1, help="what random numbers begin with")
    parser.add_argument("--no-pairs", action="store_true", help="crash once only")
    chosen = parser.parse_args()
    if chosen.plan:
        return _replay(chosen.plan)
    rows: list[Row] = []
    print(HEAD, flush=True)
    for name in chosen.workloads.split(","):
        workload = WORKLOADS[name]
        for row in _enumerate(workload, jobs=chosen.jobs, seed=chosen.seed, pairs=not chosen.no_pairs):
            rows.append(row)
            print(row, flush=True)
    total = Row("all")
    for row in rows:
        total.plans += row.plans
        total.passed += row.passed
        total.failed += row.failed
        total.idle += row.idle
        total.seconds += row.seconds
        total.converged += row.converged
    print(total)
    return 1 if total.failed else 0


def _enumerate(workload: Workload, *, jobs: int, seed: int, pairs: bool) -> Iterator[Row]:
    lesson = campaign.learn(workload)
    plans = campaign.single_plans(workload, lesson.labels, seed)
    singles: list[Result] = []
    yield _run(Row(workload.name), plans, lesson.reference, jobs, singles)
    if pairs and workload.pairs:
        twice = (plan for result in campaign.crashes(singles) for plan in campaign.second_plans(result))
        yield _run(Row(f"{workload.name}, twice"), twice, lesson.reference, jobs, [])


def _run(row: Row, plans: Iterable[Plan], reference: Result, jobs: int, results: list[Result]) -> Row:
    started = time.monotonic()
    for result in campaign.run_all(plans, reference, jobs=jobs):
        results.append(result)
        row.add(result)
        row.seconds = time.monotonic() - started
        if result.problems:
            _save(result)
        if row.plans % _SAY_EVERY == 0:
            print(row, file=sys.stderr, flush=True)
    row.seconds = time.monotonic() - started
    return row


def _save(result: Result) -> None:
    FAILED.mkdir(exist_ok=True)
    number = len(list(FAILED.glob("*.json"))) + 1
    path = FAILED / f"{number:04}-{result.plan.workload}.json"
    result.plan.save(path)
    story = "\n".join([str(result.plan), *result.problems, result.story])
    path.with_suffix(".txt").write_text(story, "utf-8")
    words = f"FAILED {result.plan}\n       {result.problems[0][:300]}\n       {path}"
    print(words, file=sys.stderr, flush=True)


def _replay(path: Path) -> int:
    plan = Plan.load(path)
    reference = run(Plan(plan.workload))
    result = campaign.run_bounded(plan, reference)
    print(plan, *result.problems, result.story or "passed", sep="\n")
    if not result.reached:
        print("Not all of its calls have come.")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
