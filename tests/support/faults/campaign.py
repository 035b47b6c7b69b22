"""All plans of a workload, run side by side: learn the calls, spoil each in every way, then crash twice."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Final

from .bench import Result, run
from .plan import KILLS, Fault, Plan, Variant
from .workloads import Workload

MOST_SECONDS: Final = 180
"""Real seconds after which a run is given up: time does not skip where there is always something to do."""
RUNS: Final = 200
"""How many plans a process runs."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a run without faults looks like."""

    labels: tuple[str, ...]
    reference: Result


def learn(workload: Workload) -> Lesson:
    """Run a workload twice without faults; the calls of both runs are those that can be relied on.

    Raises AssertionError when something is wrong even so.
    """
    first, second = run(Plan(workload.name)), run(Plan(workload.name))
    assert not first.problems, (first.problems, first.story)
    assert not second.problems, (second.problems, second.story)
    return Lesson(tuple(label for label in first.labels if label in second.labels), second)


def single_plans(workload: Workload, labels: Sequence[str], seed: int) -> Iterator[Plan]:
    """Spoil each call in each way."""
    for label in labels:
        for variant in Variant:
            if not excused(label, variant):
                for victim in range(workload.operators if variant.kills else 1):
                    yield Plan(workload.name, (Fault(label, variant, victim),), seed)


def excused(label: str, variant: Variant) -> bool:
    """Whether a fault cannot be: a 404 or 409 to a patch of the object itself comes with a change of it.

    That change reaches kopf by its watch, and kopf relies on it.
    """
    patch = label.startswith("kube: patch") and label.rpartition(" #")[0].endswith(")")
    return patch and variant in {Variant.REFUSED_404, Variant.REFUSED_409}


def second_plans(result: Result) -> Iterator[Plan]:
    """Crash again at each call with which an operator recovers from a crash."""
    (fault,) = result.plan.faults
    for label in result.labels:
        for variant in (Variant.KILL_BEFORE, Variant.KILL_AFTER):
            second = Fault(label, variant, fault.victim)
            yield Plan(result.plan.workload, (fault, second), result.plan.seed)


def crashes(results: Iterable[Result]) -> Iterator[Result]:
    """Return the results of plans with one crash, whose recoveries can be crashed too."""
    return (each for each in results if each.reached and each.plan.faults[0].variant in KILLS)


def run_all(plans: Iterable[Plan], reference: Result | None, *, jobs: int) -> Iterator[Result]:
    """Run plans side by side, each process one after the other; results come as they are done."""
    remaining = iter(plans)
    workers: dict[Connection, _Worker] = {}
    try:
        while True:
            while len(workers) < jobs and (plan := next(remaining, None)) is not None:
                worker = _Worker(reference, plan)
                workers[worker.pipe] = worker
            if not workers:
                return
            for pipe in wait(tuple(workers)):
                worker = workers[pipe]  # type: ignore[index] # only our pipes are waited for
                result = worker.result()
                following = next(remaining, None) if worker.lives else None
                if following is None:
                    del workers[worker.pipe]
                    worker.end()
                else:
                    worker.give(following)
                yield result
    finally:
        for worker in workers.values():
            worker.end()


class _Worker:
    """A process that runs plans; it ends after some hundred, which gives back memory and sockets."""

    def __init__(self, reference: Result | None, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, reference), daemon=True)
        self._process.start()
        other.close()
        self._given = 0
        self.lives = True
        self.give(plan)

    def give(self, plan: Plan) -> None:
        """Let it run this plan next."""
        self._plan = plan
        self._given += 1
        with contextlib.suppress(ConnectionError):  # who has died says so when the result is asked for
            self.pipe.send(plan)

    def result(self) -> Result:
        """Return what has become of the plan; a process that has died is a result too."""
        try:
            result: Result = self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            self.lives = False
            problem = f"the process of the run has ended with {self._process.exitcode}"
            return Result(self._plan, (problem,), reached=False, labels=(), converged=0.0)
        self.lives = self._given < RUNS
        return result

    def end(self) -> None:
        """End it."""
        self.pipe.close()
        self._process.terminate()
        self._process.join()


def _work(pipe: Connection, reference: Result | None) -> None:
    prepare()
    while True:
        try:
            plan = pipe.recv()
        except EOFError:
            return
        pipe.send(run_bounded(plan, reference))


def prepare() -> None:
    """Spare a process what each run would do again."""
    faulthandler.enable()
    os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}  # nothing here speaks TLS
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # httpcore looks for it at each lock
    gc.collect()
    gc.freeze()  # burying a killed operator looks through all that is left


def run_bounded(plan: Plan, reference: Result | None) -> Result:
    """Run a plan; whatever is raised, and a run without end, is a problem of its result."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"the run has not ended within {MOST_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(MOST_SECONDS)
    started = time.monotonic()
    try:
        return run(plan, reference)
    except Exception:  # noqa: BLE001 - told in the table, whatever it is
        took = time.monotonic() - started
        return Result(plan, (traceback.format_exc(limit=-6),), reached=False, labels=(), converged=took)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
