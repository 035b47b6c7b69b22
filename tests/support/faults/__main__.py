"""`make crash` runs every plan and prints one table; `make crash PLAN=FILE` runs one and tells its story."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack import versions
from stack.local import open_stack

from . import campaign
from .bench import Result, run
from .live import run_live
from .plan import Plan
from .seeded import BUGS, catch
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
    parser.add_argument(
        "--no-reference", action="store_true", help="do not compare with a run without faults"
    )
    parser.add_argument(
        "--bugs", action="store_true", help="run the operator with bugs in it: all are caught"
    )
    parser.add_argument("--live", type=int, metavar="N", help="every N-th plan, on the real servers")
    parser.add_argument("--batch", type=int, default=20, help="live plans that share an operator")
    chosen = parser.parse_args()
    if chosen.plan:
        return _replay(chosen.plan, compare=not chosen.no_reference)
    if chosen.bugs:
        return _bugs()
    print(HEAD, flush=True)
    names = chosen.workloads.split(",")
    if chosen.live:
        rows = asyncio.run(_live(names, every=chosen.live, batch=chosen.batch))
    else:
        rows = [
            row
            for name in names
            for row in _enumerate(
                WORKLOADS[name], jobs=chosen.jobs, seed=chosen.seed, pairs=not chosen.no_pairs
            )
        ]
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
    yield _shown(_run(Row(workload.name), plans, lesson.reference, jobs, singles))
    if pairs and workload.pairs:
        twice = (plan for result in campaign.crashes(singles) for plan in campaign.second_plans(result))
        yield _shown(_run(Row(f"{workload.name}, twice"), twice, lesson.reference, jobs, []))


def _shown(row: Row) -> Row:
    print(row, flush=True)
    return row


async def _live(names: list[str], *, every: int, batch: int) -> list[Row]:
    started = time.monotonic()
    rows: dict[str, Row] = {}
    with open_stack() as stack:
        stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
        async for result in run_live(stack, names, every=every, batch=batch):
            row = rows.setdefault(result.plan.workload, Row(result.plan.workload))
            row.seconds = (
                time.monotonic() - started - sum(each.seconds for each in rows.values() if each is not row)
            )
            row.add(result)
            if result.problems:
                _save(result)
            print(row, file=sys.stderr, flush=True)
    for row in rows.values():
        print(row)
    return list(rows.values())


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


def _bugs() -> int:
    missed = 0
    for bug in BUGS.values():
        with tempfile.TemporaryDirectory() as folder:
            found = catch(bug, Path(folder))
        missed += not found
        print(f"{'caught' if found else 'MISSED'}  {bug.name}: {found[:160]}", flush=True)
    print(f"{len(BUGS) - missed} of {len(BUGS)} bugs are caught")
    return 1 if missed else 0


def _replay(path: Path, *, compare: bool) -> int:
    plan = Plan.load(path)
    reference = run(Plan(plan.workload)) if compare else None
    result = campaign.run_bounded(plan, reference)
    print(plan, *result.problems, result.story or "passed", sep="\n")
    if not result.reached:
        print("Not all of its calls have come.")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
