"""Runs one plan on the two fakes: the operator in this process, the proxies around it, time that skips."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from support.fake_kube import FakeKube
from support.fake_mlcommons import FakeMLCommons

from . import endstate, oracles
from .guest import OperatorAsGuest
from .history import History, is_count
from .plan import Plan, Variant
from .proxy import FaultProxy, Upstream
from .script import Script
from .skipping_time import SkippingClock
from .storm import Outcome, Strikes, rage
from .users import Door, Users, is_ready, nothing
from .workloads import WORKLOADS, Goal, Workload

PATIENCE: Final = 900.0
"""Seconds of the operator's time for everything to come to rest: several quiet periods."""
_HOURS: Final = 5000.0
"""The same where a refusal is tried again after an hour."""
CALM: Final = 130.0
"""Seconds of rest in which nothing may have an effect: two resyncs and four health checks."""
_LOOK: Final = 0.5
_SLOW_LOOK: Final = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """What has become of a plan; no `problems` is a pass."""

    plan: Plan
    problems: tuple[str, ...]
    reached: bool
    """Whether all its faults have come to pass."""
    labels: tuple[str, ...]
    """The calls with an effect, from the beginning of the workload or, if there was one, the last fault."""
    converged: float
    """Seconds of the operator's time from the last fault, or the last action, to rest."""
    in_doubt: bool = False
    """Whether there was a create without a recorded answer at the last fault."""
    end: dict[str, Any] = field(default_factory=dict)
    story: str = ""


@dataclass(slots=True)
class Bench:
    """Everything of one run."""

    clock: SkippingClock
    script: Script
    history: History
    users: Users
    operators: list[OperatorAsGuest]
    proxies: list[list[FaultProxy]]
    version: Callable[[], int]
    """The version of the newest object in Kubernetes: who waits looks only when it has changed."""
    doomed: set[int] = field(default_factory=set)
    started: set[int] = field(default_factory=set)
    last_fault_at: float = 0.0

    def __post_init__(self) -> None:
        self.script.kill = self.kill

    def kill(self, victim: int) -> None:
        """Let an operator be dead from now on; it is buried by `tend`."""
        self.doomed.add(victim)
        for proxy in self.proxies[victim]:
            proxy.cut_off()

    async def tend(self) -> None:
        """Bury who was killed or has ended, and start a successor, as a kubelet does."""
        ended = {number for number in self.started if not self.operators[number].running}
        for victim in self.doomed | ended:
            self.doomed.discard(victim)
            with self.clock.real():
                await self.operators[victim].crash()
                for proxy in self.proxies[victim]:
                    proxy.revive()
            await self.start(victim)

    async def start(self, number: int) -> None:
        """Start an operator, which finds the API server through its own proxy."""
        self.started.add(number)
        if len(self.operators) == 1:
            self.history.starts.append(self.clock.monotonic())
        os.environ["KUBECONFIG"] = str(self.operators[number].kubeconfig)
        with self.clock.real():
            await self.operators[number].start()

    def _strikes(self) -> tuple[int, int]:
        """Count the faults so far; a call that outlives its sender strikes once more when it arrives."""
        return len(self.script.fired), self.script.zombies

    async def reach(self, goal: Goal) -> str:
        """Wait until the goal is reached and no request is under way; say what is missing if it is not."""
        patience = _HOURS if goal == "swept" else PATIENCE
        deadline = self.clock.monotonic() + patience
        struck = self._strikes()
        seen, objects = -1, dict[str, Any]()
        while True:
            await self.tend()
            if self._strikes() != struck:
                struck = self._strikes()
                self.last_fault_at = self.clock.monotonic()
            if self.version() != seen:
                seen = self.version()
                objects = await self.users.everything()
            done = not objects if goal == "gone" else all(map(is_ready, objects.values()))
            if goal == "swept" and done:
                done = not await self.users.left()
            if done and not self.script.zombies and not self.doomed:
                return ""
            if self.clock.monotonic() > deadline:
                return f"not {goal} after {patience:.0f} s: {json.dumps(_summary(objects))}"
            await asyncio.sleep(_SLOW_LOOK if goal == "swept" else _LOOK)


async def _run(plan: Plan, workload: Workload, bench: Bench, reference: Result | None) -> Result:
    problems: list[str] = []
    await bench.users.plant()
    for number in range(workload.operators):
        await bench.start(number)
    for act in workload.acts[:-1]:
        await act(bench.users)
        problems += filter(None, [await bench.reach("ready")])
    first = len(bench.history.sent)
    bench.script.arm(plan.faults)
    bench.last_fault_at = bench.clock.monotonic()
    await workload.acts[-1](bench.users)
    bench.last_fault_at = bench.clock.monotonic()  # who was killed meanwhile is only now started again
    missed = await bench.reach(workload.goal)
    converged = bench.clock.monotonic() - bench.last_fault_at
    reached = not bench.script.faults
    bench.script.faults.clear()
    labels = _labels(bench, first)
    if not missed:
        problems += await _calm(bench, plan)
    else:
        problems.append(missed)
    duplicated = any(entry.copy for entry in bench.history.sent)
    wrong = await endstate.wrong(bench.users)
    problems += [each for each in wrong if not (duplicated and each.startswith("Q1"))]
    end = await endstate.normalised(bench.users)
    if reference is not None and not missed and not duplicated and end != reference.end:
        problems.append(f"Q4: ends as {end}, without faults as {reference.end}")
    if workload.goal != "gone" and not missed:
        await bench.users.delete_everything()
        problems += filter(None, [await bench.reach("gone")])
        problems += await endstate.wrong(bench.users)
    problems += oracles.breaches(bench.history, bench.users.condemned)
    story = bench.history.text() if problems else ""
    in_doubt = oracles.is_in_doubt(bench.history)
    return Result(plan, tuple(dict.fromkeys(problems)), reached, labels, converged, in_doubt, end, story)


async def _calm(bench: Bench, plan: Plan) -> list[str]:
    """Q5: at rest nothing has an effect.

    Of two operators one may have something to note after the other; and what a request has changed that
    outlived its sender is put back at the next resync, as what a person has changed is.
    """
    if len(bench.operators) > 1 or any(fault.variant is Variant.ZOMBIE for fault in plan.faults):
        await asyncio.sleep(CALM)
    before, since = len(bench.history.sent), bench.clock.monotonic()
    await asyncio.sleep(CALM)
    effects = bench.history.effects(before)
    late = [entry for entry in effects if entry.applied and not is_count(entry, since)]
    return [f"Q5: at rest, {entry.label}" for entry in late]


def _labels(bench: Bench, first: int) -> tuple[str, ...]:
    sent = bench.history.sent
    fated = [number for number, entry in enumerate(sent) if entry.fate and number >= first]
    return tuple(entry.label for entry in bench.history.effects(fated[-1] + 1 if fated else first))


def _summary(objects: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, body in objects.items():
        status = body.get("status") or {}
        conditions = status.get("conditions", ())
        false = [(each["type"], each["reason"]) for each in conditions if each["status"] != "True"]
        found[name] = (false, status.get("pending"), status.get("id"), body["metadata"].get("finalizers"))
    return found


def run_storm(seed: int, *, sets: int, kills: int) -> Outcome:
    """Run a storm on the fakes, and compare its end with that of the same lives without kills."""
    outcome, reference = (_run_storm(seed, sets, each) for each in (kills, 0))
    outcome.compare(reference)
    outcome.problems += [f"without kills: {each}" for each in reference.problems]
    return outcome


def _run_storm(seed: int, sets: int, kills: int) -> Outcome:
    with _skipping() as (clock, runner):
        return runner.run(_storm(clock, seed, sets, kills))


async def _storm(clock: SkippingClock, seed: int, sets: int, kills: int) -> Outcome:
    strikes = Strikes()
    async with _bench(clock, 1, seed, strikes) as bench:
        await bench.start(0)
        everybody = [
            replace(bench.users, namespace=f"team-{number}", foreign=nothing()) for number in range(sets)
        ]
        return await rage(bench, strikes, everybody, seed=seed, kills=kills, span=sets * 3.0, calm=CALM)


@contextlib.contextmanager
def _skipping() -> Iterator[tuple[SkippingClock, asyncio.Runner]]:
    """Run what is run within by time that skips, and without a word."""
    clock = SkippingClock()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # who is killed leaves his sockets to the kernel
            with asyncio.Runner(loop_factory=clock.new_loop) as runner:
                yield clock, runner
            gc.collect()
    finally:
        logging.disable(logging.NOTSET)


def run(plan: Plan, reference: Result | None = None) -> Result:
    """Run a plan on the fakes."""
    with _skipping() as (clock, runner):
        return runner.run(_on_fakes(plan, clock, reference))


async def _on_fakes(plan: Plan, clock: SkippingClock, reference: Result | None) -> Result:
    workload = WORKLOADS[plan.workload]
    async with _bench(clock, workload.operators, plan.seed, Script()) as bench:
        return await _run(plan, workload, bench, reference)


@contextlib.asynccontextmanager
async def _bench(clock: SkippingClock, operators: int, seed: int, script: Script) -> AsyncIterator[Bench]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {"connector.private_ip_enabled": "true"}
        kube = await stack.enter_async_context(FakeKube(bookmark_seconds=60.0, now=clock.now))
        ml = await stack.enter_async_context(FakeMLCommons(settings=settings, seed=seed))
        history = History(clock.monotonic)
        ways = (script, history)
        to_opensearch = await stack.enter_async_context(_proxy("opensearch", ml.url, *ways, 0))
        made: list[OperatorAsGuest] = []
        proxies = []
        for number in range(operators):
            to_kube = await stack.enter_async_context(_proxy("kube", kube.url, *ways, number))
            path = _kubeconfig(folder / f"kubeconfig-{number}", to_kube.url)
            made.append(OperatorAsGuest(path, clock))
            proxies.append([to_kube] if operators > 1 else [to_kube, to_opensearch])
        users = Users(
            Door(_upstream(kube.url), (("Authorization", "Bearer admin"),)),
            Door(_upstream(ml.url)),
            namespace="team",
            endpoint=to_opensearch.url,
        )
        try:
            yield Bench(clock, script, history, users, made, proxies, lambda: kube.version)
        finally:
            with clock.real():
                for operator in made:
                    if operator.running:
                        await operator.crash()


def _proxy(server: Any, url: str, script: Script, history: History, sender: int) -> FaultProxy:
    return FaultProxy(server, _upstream(url), scripts=script, history=history, sender=sender)


def _upstream(url: str) -> Upstream:
    parts = urlsplit(url)
    return Upstream(str(parts.hostname), parts.port or 80)


def _kubeconfig(path: Path, url: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
        "clusters": [{"name": "proxy", "cluster": {"server": url}}],
        "users": [{"name": "operator", "user": {"token": "operator"}}],
    }
    path.write_text(json.dumps(config), "utf-8")
    return path
