"""`make crash` runs every plan and prints one table; `make crash PLAN=FILE` runs one and tells its story."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from stack import versions
from stack.local import open_stack

from . import campaign, figures
from .bench import Result, run, run_storm
from .figures import HEAD, Row
from .live import run_live, run_live_storm
from .measures import measure
from .plan import Plan
from .seeded import BUGS, catch
from .workloads import WORKLOADS, Workload

FAILED: Final = Path("crash-plans")
"""Where failing plans are saved."""
_SAY_EVERY: Final = 50


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
    parser.add_argument("--live", type=int, metavar="N", help="N of the plans, on the real servers")
    parser.add_argument("--batch", type=int, default=60, help="live plans that share an operator")
    parser.add_argument(
        "--random", type=int, metavar="N", help="N kills at random moments; with --live on the real servers"
    )
    parser.add_argument("--sets", type=int, default=100, help="sets that come and go meanwhile")
    parser.add_argument("--measure", action="store_true", help="measure the ends of outages on real servers")
    parser.add_argument("--page", action="store_true", help="write the tables of the page anew")
    chosen = parser.parse_args()
    if chosen.page:
        figures.write_page()
        return 0
    if chosen.plan:
        return _replay(chosen.plan, compare=not chosen.no_reference)
    if chosen.bugs:
        return _bugs()
    if chosen.measure:
        return _measure()
    if chosen.random:
        return _storm(chosen.seed, sets=chosen.sets, kills=chosen.random, live=bool(chosen.live))
    names = chosen.workloads.split(",")
    print(HEAD, flush=True)
    if chosen.live:
        rows = asyncio.run(_live(names, number=chosen.live, batch=chosen.batch, seed=chosen.seed))
    else:
        rows = [
            row
            for name in names
            for row in _enumerate(
                WORKLOADS[name], jobs=chosen.jobs, seed=chosen.seed, pairs=not chosen.no_pairs
            )
        ]
    everything = figures.total(rows)
    print(everything)
    return 1 if everything.failed else 0


def _enumerate(workload: Workload, *, jobs: int, seed: int, pairs: bool) -> Iterator[Row]:
    lesson = campaign.learn(workload)
    plans = campaign.single_plans(workload, lesson.labels, seed)
    singles: list[Result] = []
    yield _done(_run(Row(workload.name), plans, lesson.reference, jobs, singles))
    if pairs and workload.pairs:
        twice = (plan for result in campaign.crashes(singles) for plan in campaign.second_plans(result))
        yield _done(_run(Row(f"{workload.name}, twice"), twice, lesson.reference, jobs, []))


def _done(row: Row) -> Row:
    print(row, flush=True)
    figures.keep_rows("fakes", [row])
    return row


async def _live(names: list[str], *, number: int, batch: int, seed: int) -> list[Row]:
    started = time.monotonic()
    rows: dict[str, Row] = {}
    with open_stack() as stack:
        stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
        async for result in run_live(stack, names, number=number, batch=batch, seed=seed):
            row = rows.setdefault(result.plan.workload, Row(result.plan.workload))
            row.seconds = (
                time.monotonic() - started - sum(each.seconds for each in rows.values() if each is not row)
            )
            row.add(result)
            if result.problems:
                _save(result)
            figures.keep_rows("live", [row])
            print(row, file=sys.stderr, flush=True)
    for row in rows.values():
        print(row)
    return list(rows.values())


def _storm(seed: int, *, sets: int, kills: int, live: bool) -> int:
    if live:
        with open_stack() as stack:
            stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
            outcome = asyncio.run(run_live_storm(stack, seed, sets=sets, kills=kills))
    else:
        campaign.prepare()
        outcome = run_storm(seed, sets=sets, kills=kills)
    figures.keep("storms", {"real servers" if live else "fakes": outcome.shown()})
    words = f"seed {seed}: {sets} sets, {outcome.kills} kills, {outcome.effects} calls with an effect"
    print(words, *outcome.problems, f"at rest {outcome.converged:.0f} s after the last kill", sep="\n")
    return 1 if outcome.problems or outcome.kills != kills else 0


def _measure() -> int:
    with open_stack() as stack:
        found = measure(stack)
    figures.keep("measured", found)
    for each in found.values():
        print(f"{each['from']} → {each['to']}: {', '.join(f'{one:.1f}' for one in each['seconds'])} s")
    return 0


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
