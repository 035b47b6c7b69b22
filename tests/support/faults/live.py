"""Runs plans on the real servers: many teams share one operator, each with a namespace and a plan of its own.

A fault that does not kill concerns its team alone. One that kills hits all teams wherever they are just then:
each plan is run as written, and has seen other crashes besides.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from opensearch_ml_operator.constants import API_VERSION
from stack import versions
from stack.controlplane import write_kubeconfig
from stack.local import Stack
from stack.operator_process import NAMESPACE, OperatorProcess, render_chart, start_operator
from stack.server import ServerError

from . import campaign, endstate, oracles
from .bench import Result
from .history import History, is_count
from .plan import Plan
from .proxy import FaultProxy, Upstream
from .script import Script
from .storm import Outcome, Strikes, rage
from .teams import Everybody, Teams
from .users import PLURALS, Doc, Door, Users, is_ready
from .workloads import WORKLOADS, Goal, Workload

QUIET_PERIOD: Final = "90s"
"""On a busy machine OpenSearch was seen to carry a create out 37 s after its sender had given up."""
ZOMBIE_SECONDS: Final = 20.0
LATE_SECONDS: Final = 35.0
"""Longer than the operator waits."""
CALM: Final = 35.0
"""Seconds of rest in which nothing may have an effect: a resync."""
PATIENCE: Final = 600.0
SPAN: Final = 400.0
"""Seconds in which the sets of a storm live: a restart takes four."""
_STARTS: Final = 4


@dataclass(slots=True)
class Team:
    """One plan, and those who suffer from it."""

    plan: Plan
    workload: Workload
    script: Script
    users: Users
    problems: list[str] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    first: int = 0
    began: float = 0.0
    converged: float = 0.0
    reached: bool = False
    end: Doc = field(default_factory=dict)


@dataclass(slots=True)
class LiveBench:
    """The servers, the operator as a process, and the proxies around it."""

    kube: Door
    opensearch: Door
    endpoint: str
    model_url: str
    teams: Teams
    history: History
    proxies: list[FaultProxy]
    start: Callable[[], OperatorProcess]
    operator: OperatorProcess | None = None
    doomed: bool = False
    kills: int = 0

    def __post_init__(self) -> None:
        self.teams.kill = self.kill

    def kill(self, _: int) -> None:
        """Let the operator be dead from now on: kill -9."""
        self.doomed = True
        if self.operator is not None and self.operator.server.is_running():
            os.kill(self.operator.server.pid, signal.SIGKILL)
        for proxy in self.proxies:
            proxy.cut_off()

    async def tend(self) -> None:
        """Kill for good who is doomed, and start a successor, as a kubelet does."""
        if self.operator is not None and not self.doomed and self.operator.server.is_running():
            return
        if self.operator is not None:
            await asyncio.to_thread(self.operator.kill)
            self.kills += self.doomed
        for proxy in self.proxies:
            proxy.revive()
        self.doomed = False
        for left in reversed(range(_STARTS)):
            try:
                self.history.starts.append(self.history.clock())
                if self.operator is None:
                    self.operator = await asyncio.to_thread(self.start)
                else:
                    await asyncio.to_thread(self.operator.start)
            except ServerError:
                if not left or self.doomed:
                    if self.doomed:
                        return
                    raise
            else:
                return

    async def objects(self) -> dict[str, dict[str, Doc]]:
        """Return all of our objects, by namespace, plural and name."""
        found: dict[str, dict[str, Doc]] = {}
        for plural in PLURALS:
            _, answer = await self.kube.call("GET", f"/apis/{API_VERSION}/{plural}")
            for body in answer["items"]:
                metadata = body["metadata"]
                body["kind"] = answer["kind"].removesuffix("List")
                found.setdefault(metadata["namespace"], {})[f"{plural}/{metadata['name']}"] = body
        return found

    async def reach(self, teams: Sequence[Team], goal: Goal | None = None) -> None:
        """Wait until all teams are there, each where its workload ends; who is not in time has a problem."""
        clock = self.history.clock
        deadline = clock() + PATIENCE
        missing = {team.users.namespace: team for team in teams}
        while missing and clock() < deadline:
            await self.tend()
            objects = await self.objects()
            for name, team in tuple(missing.items()):
                own = objects.get(name, {})
                gone = (goal or team.workload.goal) == "gone"
                done = not own if gone else bool(own) and all(map(is_ready, own.values()))
                if done and not team.script.zombies:
                    team.converged = clock() - team.began
                    del missing[name]
            await asyncio.sleep(0.3)
        for name, team in missing.items():
            own = (await self.objects()).get(name, {})
            states = {key: body.get("status") for key, body in own.items()}
            team.problems.append(f"not {goal} after {PATIENCE:.0f} s: {json.dumps(states)}")

    async def run(
        self, plans: Sequence[Plan], batch: str, references: Mapping[str, Doc] | None = None
    ) -> list[Result]:
        """Run plans side by side; `references` says how each workload ends without faults."""
        teams = [await self._gather(plan, f"{batch}-{number:02}") for number, plan in enumerate(plans)]
        await self.tend()
        for step in range(max(len(team.workload.acts) for team in teams) - 1):
            preparing = [team for team in teams if step < len(team.workload.acts) - 1]
            await asyncio.gather(*(team.workload.acts[step](team.users) for team in preparing))
            await self.reach(preparing, "ready")
        clock = self.history.clock
        for team in teams:
            self.teams.claim(team.users)
            team.script.arm(team.plan.faults)
            team.first, team.began = len(self.history.sent), clock()
        await asyncio.gather(*(team.workload.acts[-1](team.users) for team in teams))
        await self.reach(teams)
        calm_from, at_rest = len(self.history.sent), clock()
        for team in teams:
            team.reached = not team.script.faults
            team.script.faults.clear()
            effects = self.history.effects(team.first)
            team.labels = tuple(entry.label for entry in effects if entry.team == team.users.namespace)
        await asyncio.sleep(CALM)
        late = [entry for entry in self.history.effects(calm_from) if entry.applied]
        for team in teams:
            own = (entry for entry in late if entry.team == team.users.namespace)
            team.problems += [f"Q5: at rest, {entry.label}" for entry in own if not is_count(entry, at_rest)]
            await self._judge(team, references or {})
        await self._clear_away([team for team in teams if team.workload.goal != "gone"])
        for team in teams:
            team.problems += oracles.breaches(self.history.of(team.users.namespace), team.users.condemned)
            await team.users.uproot()
        return [self._result(team) for team in teams]

    async def _clear_away(self, teams: Sequence[Team]) -> None:
        await asyncio.gather(*(team.users.delete_everything() for team in teams))
        converged = [team.converged for team in teams]
        await self.reach(teams, "gone")
        for team, seconds in zip(teams, converged, strict=True):
            team.converged = seconds
            team.problems += await endstate.wrong(team.users)

    def users(self, namespace: str) -> Users:
        """Return the people of a new namespace."""
        return Users(
            self.kube,
            self.opensearch,
            namespace=namespace,
            endpoint=self.endpoint,
            model_url=self.model_url,
            resync="30s",
        )

    async def _gather(self, plan: Plan, namespace: str) -> Team:
        users = self.users(namespace)
        await users.plant()
        return Team(plan, WORKLOADS[plan.workload], self.teams.add(namespace), users)

    async def _judge(self, team: Team, references: Mapping[str, Doc]) -> None:
        own = self.history.of(team.users.namespace)
        duplicated = any(entry.copy for entry in own.sent)
        wrong = await endstate.wrong(team.users)
        team.problems += [each for each in wrong if not (duplicated and each.startswith("Q1"))]
        team.end = await endstate.normalised(team.users)
        reference = references.get(team.plan.workload, team.end)
        if team.end != reference and not duplicated and not team.problems:
            team.problems.append(f"Q4: ends as {team.end}, without faults as {reference}")

    def _result(self, team: Team) -> Result:
        problems = tuple(dict.fromkeys(team.problems))
        own = self.history.of(team.users.namespace)
        story = own.text() if problems else ""
        in_doubt = oracles.is_in_doubt(own)
        return Result(
            team.plan, problems, team.reached, team.labels, team.converged, in_doubt, team.end, story
        )


@asynccontextmanager
async def live_bench(stack: Stack, teams: Teams | None = None) -> AsyncIterator[LiveBench]:
    """Set up the real servers, with proxies around an operator that is started by the first batch."""
    teams = teams or Teams()
    node, plane = stack.opensearch(versions.OPENSEARCH_3), stack.control_plane
    history = History(asyncio.get_running_loop().time)
    values = {
        "quietPeriod": QUIET_PERIOD,
        "leaderElection": {"enabled": False},
        "rbac": {"exportToSecrets": True},
    }
    chart = await asyncio.to_thread(render_chart, stack.helm(), "crash", NAMESPACE, values)
    await asyncio.to_thread(chart.apply, plane)
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=stack.folder))
    account = plane.service_account_kubeconfig(NAMESPACE, chart.service_account, folder / "true")
    token = json.loads(account.read_text())["users"][0]["user"]["token"]
    to_kube = _upstream(plane.url, ssl.create_default_context(cafile=plane.ca_file))
    to_opensearch = _upstream(node.url)
    ways: Any = {
        "scripts": teams,
        "history": history,
        "zombie_seconds": ZOMBIE_SECONDS,
        "late_seconds": LATE_SECONDS,
    }
    async with AsyncExitStack() as exits:
        kube = await exits.enter_async_context(FaultProxy("kube", to_kube, **ways))
        opensearch = await exits.enter_async_context(FaultProxy("opensearch", to_opensearch, **ways))
        path = folder / "kubeconfig"
        write_kubeconfig(path, url=kube.url, ca_file=plane.ca_file, user="operator", token=token)

        def start() -> OperatorProcess:
            return start_operator(
                stack, release="crash", values=values, env={"KUBECONFIG": str(path)}, apply_chart=False
            )

        bench = LiveBench(
            Door(to_kube, (("Authorization", f"Bearer {plane.token}"),)),
            Door(to_opensearch),
            opensearch.url,
            f"{stack.model_server.url}/v1/embeddings",
            teams,
            history,
            [kube, opensearch],
            start,
        )
        try:
            yield bench
        finally:
            if bench.operator is not None:
                await asyncio.to_thread(bench.operator.kill)


def _upstream(url: str, tls: ssl.SSLContext | None = None) -> Upstream:
    parts = urlsplit(url)
    return Upstream(str(parts.hostname), parts.port or 80, tls)


async def run_live(
    stack: Stack, workloads: Sequence[str], *, number: int, batch: int, seed: int
) -> AsyncIterator[Result]:
    """Run so many of the plans of all workloads, drawn by the seed, a batch at a time."""
    names = [name for name in workloads if WORKLOADS[name].live]
    async with live_bench(stack) as bench:
        lesson = await bench.run([Plan(name) for name in names for _ in range(2)], "learn")
        for result in lesson:
            assert not result.problems, (result.problems, result.story)
        plans: list[Plan] = []
        for first, second in zip(lesson[::2], lesson[1::2], strict=True):
            labels = [label for label in first.labels if label in second.labels]
            plans += campaign.single_plans(WORKLOADS[first.plan.workload], labels, seed)
        random.Random(seed).shuffle(plans)  # noqa: S311 - a seed makes a run come again
        references = {result.plan.workload: result.end for result in lesson}
        chosen = plans[:number]
        for start in range(0, len(chosen), batch):
            for result in await bench.run(chosen[start : start + batch], f"batch-{start}", references):
                yield result


async def run_live_storm(stack: Stack, seed: int, *, sets: int, kills: int) -> Outcome:
    """Run a storm on the real servers, and compare its end with that of the same lives without kills."""
    outcomes = []
    for number in (kills, 0):
        strikes = Strikes()
        async with live_bench(stack, Everybody(strikes)) as bench:
            strikes.kill = bench.kill
            await bench.tend()
            everybody = [bench.users(f"storm-{number}-{each:03}") for each in range(sets)]
            outcomes.append(
                await rage(bench, strikes, everybody, seed=seed, kills=number, span=SPAN, calm=CALM)
            )
    outcome, reference = outcomes
    outcome.compare(reference)
    outcome.problems += [f"without kills: {each}" for each in reference.problems]
    return outcome
