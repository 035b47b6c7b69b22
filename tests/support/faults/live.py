"""Runs plans on the real servers: many teams share one operator, each with a namespace and a plan of its own.

A fault that does not kill concerns its team alone. One that kills hits all teams wherever they are just then:
each plan is run as written, and has seen other crashes besides.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from opensearch_ml_operator.constants import API_VERSION
from stack import versions
from stack.controlplane import write_kubeconfig
from stack.local import Stack
from stack.operator_process import NAMESPACE, OperatorProcess, render_chart, start_operator
from stack.server import ServerError

from . import campaign, endstate, oracles
from .bench import Result, is_count
from .history import History
from .naming import document, opensearch_id
from .plan import Plan
from .proxy import FaultProxy, Upstream
from .script import Script
from .users import PLURALS, Doc, Door, Users, is_ready
from .wire import Request, Response
from .workloads import WORKLOADS, Goal

QUIET_PERIOD: Final = "90s"
"""On a busy machine OpenSearch was seen to carry a create out 37 s after its sender had given up."""
ZOMBIE_SECONDS: Final = 20.0
LATE_SECONDS: Final = 35.0
"""Longer than the operator waits."""
CALM: Final = 35.0
"""Seconds of rest in which nothing may have an effect: a resync."""
PATIENCE: Final = 600.0
_STARTS: Final = 4


class Teams:
    """Tells from a request whose it is: by the namespace, by the name of the new object, by the id."""

    def __init__(self) -> None:
        self.kill: Callable[[int], None] = lambda _: None
        self._scripts: dict[str, Script] = {}
        self._owners: dict[str, str] = {}
        self._nobody = Script()

    def add(self, team: str) -> Script:
        """Return the script of a new team."""
        self._scripts[team] = Script(self.kill, team=team)
        return self._scripts[team]

    def of(self, request: Request) -> Script:
        """Return the script of the team, or one without faults."""
        return self._scripts.get(self._team(request), self._nobody)

    def learn(self, request: Request, response: Response) -> None:
        """Remember whose a new remote object is."""
        team = str(document(request.body).get("name", "")).partition(" ")[0]
        if team in self._scripts and request.method == "POST":
            for name in ("model_id", "connector_id", "model_group_id"):
                id_ = document(response.body).get(name)
                if id_ is not None:
                    self._owners[str(id_)] = team

    def _team(self, request: Request) -> str:
        parts = request.path.split("/")
        if "namespaces" in parts[:-1]:
            return parts[parts.index("namespaces") + 1]
        if id_ := opensearch_id(request):
            return self._owners.get(id_, "")
        return str(document(request.body).get("name", "")).partition(" ")[0]


@dataclass(slots=True)
class Team:
    """One plan, and those who suffer from it."""

    plan: Plan
    script: Script
    users: Users
    problems: list[str] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    first: int = 0
    began: float = 0.0
    converged: float = 0.0
    reached: bool = False
    duplicated: bool = False
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
        """Let the operator be dead from now on."""
        self.doomed = True
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

    async def reach(self, goal: Goal, teams: Sequence[Team]) -> None:
        """Wait until all teams are there; who is not in time has a problem."""
        clock = self.history.clock
        deadline = clock() + PATIENCE
        missing = {team.users.namespace: team for team in teams}
        while missing and clock() < deadline:
            await self.tend()
            objects = await self.objects()
            for name, team in tuple(missing.items()):
                own = objects.get(name, {})
                done = not own if goal == "gone" else bool(own) and all(map(is_ready, own.values()))
                if done and not team.script.zombies:
                    team.converged = clock() - team.began
                    del missing[name]
            await asyncio.sleep(0.3)
        for name, team in missing.items():
            own = (await self.objects()).get(name, {})
            states = {key: body.get("status") for key, body in own.items()}
            team.problems.append(f"not {goal} after {PATIENCE:.0f} s: {json.dumps(states)}")

    async def run(self, plans: Sequence[Plan], batch: str) -> list[Result]:
        """Run plans of one workload side by side."""
        workload = WORKLOADS[plans[0].workload]
        teams = [await self._gather(plan, f"{batch}-{number:02}") for number, plan in enumerate(plans)]
        await self.tend()
        for act in workload.acts[:-1]:
            await asyncio.gather(*(act(team.users) for team in teams))
            await self.reach("ready", teams)
        clock = self.history.clock
        for team in teams:
            team.script.arm(team.plan.faults)
            team.first, team.began = len(self.history.sent), clock()
        await asyncio.gather(*(workload.acts[-1](team.users) for team in teams))
        await self.reach(workload.goal, teams)
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
        await self._judge(teams)
        if workload.goal != "gone":
            await asyncio.gather(*(team.users.delete_everything() for team in teams))
            began = {id(team): team.converged for team in teams}
            await self.reach("gone", teams)
            for team in teams:
                team.converged = began[id(team)]
                team.problems += await endstate.wrong(team.users)
        for team in teams:
            team.problems += oracles.breaches(self.history.of(team.users.namespace), team.users.condemned)
            await team.users.uproot()
        return [self._result(team) for team in teams]

    async def _gather(self, plan: Plan, namespace: str) -> Team:
        users = Users(
            self.kube,
            self.opensearch,
            namespace=namespace,
            endpoint=self.endpoint,
            model_url=self.model_url,
            resync="30s",
        )
        await users.plant()
        return Team(plan, self.teams.add(namespace), users)

    async def _judge(self, teams: Sequence[Team]) -> None:
        for team in teams:
            own = self.history.of(team.users.namespace)
            team.duplicated = any(entry.copy for entry in own.sent)
            wrong = await endstate.wrong(team.users)
            team.problems += [each for each in wrong if not (team.duplicated and each.startswith("Q1"))]
            team.end = await endstate.normalised(team.users)
        ends = Counter(json.dumps(team.end, sort_keys=True) for team in teams if not team.plan.faults)
        for team in teams:
            if ends and not team.duplicated and not team.problems:
                end = json.dumps(team.end, sort_keys=True)
                if end not in ends:
                    team.problems.append(f"Q4: ends as {end}, without faults as {next(iter(ends))}")

    def _result(self, team: Team) -> Result:
        problems = tuple(dict.fromkeys(team.problems))
        story = self.history.of(team.users.namespace).text() if problems else ""
        return Result(team.plan, problems, team.reached, team.labels, team.converged, team.end, story)


@asynccontextmanager
async def live_bench(stack: Stack) -> AsyncIterator[LiveBench]:
    """Set up the real servers, with proxies around an operator that is started by the first batch."""
    node, plane = stack.opensearch(versions.OPENSEARCH_3), stack.control_plane
    history = History(asyncio.get_running_loop().time)
    teams = Teams()
    values = {"quietPeriod": QUIET_PERIOD, "leaderElection": {"enabled": False}}
    chart = await asyncio.to_thread(render_chart, stack.helm(), "crash", NAMESPACE, values)
    await asyncio.to_thread(chart.apply, plane)
    folder = stack.folder / "crash"
    folder.mkdir()
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
    stack: Stack, workloads: Sequence[str], *, every: int, batch: int
) -> AsyncIterator[Result]:
    """Run every so many plans of each workload, in batches; a team of each batch has no fault."""
    async with live_bench(stack) as bench:
        for name in workloads:
            lesson = await bench.run([Plan(name), Plan(name)], f"learn-{name}")
            for result in lesson:
                assert not result.problems, (result.problems, result.story)
            labels = [label for label in lesson[0].labels if label in lesson[1].labels]
            plans = list(campaign.single_plans(WORKLOADS[name], labels, 1))[::every]
            for number, start in enumerate(range(0, len(plans), batch)):
                chosen = [Plan(name), *plans[start : start + batch]]
                for result in await bench.run(chosen, f"{name}-{number}"):
                    if result.plan.faults:
                        yield result
