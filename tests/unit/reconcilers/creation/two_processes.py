"""Every order of the steps of operator processes that run the real reconcilers on one resource.

A run of a reconciler is a coroutine that stops at each call of a port. The call is answered here, in every
way that it may be answered, and the run is done over again up to that point: so a world is a plain value that
can be compared and gone on from. Time passes only while everyone waits.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from opensearch_ml_operator.errors import MLCode, MLError, OperatorError, StatusConflictError
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.creation.protocol import CreateMemory
from opensearch_ml_operator.reconcilers.outcome import Outcome, Reconciler
from opensearch_ml_operator.reconcilers.ports import Hit, Mentions
from opensearch_ml_operator.reconcilers.session import Ports
from support.memory_aws import MemoryAWS
from support.memory_ports import (
    NAMESPACE,
    MemoryCatalog,
    MemoryExports,
    MemoryPool,
    MemorySecrets,
    RecordedEvents,
    Stage,
)
from support.memory_tokens import MemoryTokens
from unit.reconcilers.creation.process_world import (
    Call,
    Object,
    Process,
    Reply,
    Run,
    Version,
    World,
    ended,
    time_passed,
    told,
    with_process,
    written,
)

QUIET = 3.0
LATE = 2.0
"""Seconds for which a request whose sender has given up may still be carried out: fewer than QUIET."""
PATIENCE = 2.0
"""Seconds that a sender waits for an answer; together with LATE more than QUIET."""

Make: TypeAlias = Callable[[Ports], Reconciler]


@dataclass(slots=True)
class Search:
    """Visits every world; `ids` names the objects in the order in which they are made."""

    make: Make
    kind: str
    spec: Mapping[str, Any]
    ids: Callable[[int], str] = "id{}".format
    quiet: float = QUIET
    after: dict[World, list[World]] = field(default_factory=dict)
    """The worlds that follow without a fault."""
    _replayed: dict[tuple[int, Process], tuple[CreateMemory | None, Call | Outcome | Exception]] = field(
        default_factory=dict
    )

    def visit(self, *, processes: int, crashes: int, losses: int, deletions: int) -> None:
        """Start with a resource that has just been made."""
        queue = deque([World(Version(), (Process(),) * processes, crashes, losses, deletions)])
        while queue:
            world = queue.popleft()
            if world not in self.after:
                steps = list(self._steps(world))
                self.after[world] = [after for after, fault in steps if not fault]
                queue.extend(after for after, _ in steps)

    @property
    def most_objects(self) -> int:
        """The most objects that there ever were at once."""
        return max(len(world.objects) for world in self.after)

    @property
    def left_behind(self) -> bool:
        """Whether there may be an object whose resource has gone."""
        return any(world.gone and world.objects for world in self.after)

    @property
    def stuck(self) -> int:
        """How many worlds there are from which no way leads to an end without another fault."""
        before: dict[World, list[World]] = {}
        for world, nexts in self.after.items():
            for each in nexts:
                before.setdefault(each, []).append(world)
        queue = deque(world for world in self.after if world.finished)
        able: set[World] = set()
        while queue:
            world = queue.popleft()
            if world not in able:
                able.add(world)
                queue.extend(before.get(world, ()))
        return len(self.after) - len(able)

    def _steps(  # noqa: C901 - the list of everything that can happen next
        self, world: World
    ) -> Iterator[tuple[World, bool]]:
        asked = [
            self._replay(index, process) if process.run is not None and process.hangs is None else None
            for index, process in enumerate(world.processes)
        ]
        for index, each in enumerate(asked):
            if each is not None and isinstance(each[1], Outcome | Exception):
                yield ended(world, index, *each), False
                return  # nobody else can tell when a run ends
        for place, (left, description) in enumerate(world.late):
            others = world.late[:place] + world.late[place + 1 :]
            yield self._created(replace(world, late=others), description), False
            yield replace(world, late=others), left > 0
        if world.gone:
            return
        if world.deletions and not world.stored.deleting:
            deleting = world.stored._replace(deleting=True, number=world.stored.number + 1)
            yield replace(world, stored=deleting, deletions=world.deletions - 1), True
        for index, (process, each) in enumerate(zip(world.processes, asked, strict=True)):
            if world.crashes and process != Process():
                yield with_process(replace(world, crashes=world.crashes - 1), index, Process()), True
            if each is not None:
                yield from self._answer(world, index, process, each[1])
            elif process.hangs is not None and process.hangs <= 0:
                yield with_process(world, index, told(process, MLCode.AMBIGUOUS)), False
            elif process.run is None and (process.wake_in <= 0 or process.seen != world.stored.number):
                yield with_process(world, index, replace(process, run=Run(world.stored), wake_in=0.0)), False
        yield from time_passed(world)

    def _replay(self, index: int, process: Process) -> tuple[CreateMemory | None, Call | Outcome | Exception]:
        """Return what the process asks next, or how its run ends and what it remembers then."""
        if (index, process) not in self._replayed:
            self._replayed[index, process] = self._do_over(index, process)
        return self._replayed[index, process]

    def _do_over(
        self, index: int, process: Process
    ) -> tuple[CreateMemory | None, Call | Outcome | Exception]:
        run = process.run
        assert run is not None
        snapshot, clock = self._snapshot(run.version), [run.clock]
        reconciler = self.make(_ports(index, run.version, clock, self.quiet))
        memories: dict[str, CreateMemory] = reconciler._creation._memory  # type: ignore[attr-defined] # noqa: SLF001 - part of the world
        if process.memory is not None:
            memories[snapshot.uid] = process.memory
        steps: Any = reconciler.finalize(snapshot) if snapshot.deleting else reconciler.reconcile(snapshot)
        try:
            question: Call = steps.send(None)
            for reply in run.replies:
                clock[0] = reply.clock
                question = steps.send(self._decode(reply))
        except StopIteration as end:
            return memories.get(snapshot.uid), end.value
        except OperatorError as error:
            return memories.get(snapshot.uid), error
        steps.close()
        return None, question

    def _decode(self, reply: Reply) -> Any:
        match reply.value:
            case Version() as version:
                return self._snapshot(version)
            case Object() as one:
                return _hit(one)
            case tuple() as several:
                return tuple(map(_hit, several))
            case MLCode() as code:
                return MLError(code, "no")
            case type():
                return StatusConflictError("changed")
            case plain:
                return plain

    def _snapshot(self, version: Version) -> Snapshot:
        return Snapshot(
            key=ObjectKey(self.kind, NAMESPACE, "one"),
            uid="uid-1",
            resource_version=str(version.number),
            generation=1,
            created="2026-01-01T00:00:00Z",
            deleting=version.deleting,
            finalizer=True,
            spec=self.spec,
            status=json.loads(version.status),
            deleted="2025-01-01T00:00:00Z" if version.deleting else "",
        )

    def _answer(
        self, world: World, index: int, process: Process, question: Any
    ) -> Iterator[tuple[World, bool]]:
        match question:
            case ("read", _):
                yield with_process(world, index, told(process, world.stored)), False
            case ("write", snapshot, status):
                yield written(world, index, process, snapshot, status), False
            case ("create_group" | "create_connector", body):
                yield from self._sent(world, index, process, body["description"])
            case ("search_marker", _, marker):
                hits = tuple(each for each in world.objects if marker in each.description.split())
                yield with_process(world, index, told(process, hits)), False
            case ("get_group" | "get_connector", id_) | ("observe", _, id_):
                found = next((each for each in world.objects if each.id == id_), None)
                yield with_process(world, index, told(process, found)), False
            case ("delete_group" | "delete_connector", id_):
                objects = tuple(each for each in world.objects if each.id != id_)
                yield with_process(replace(world, objects=objects), index, told(process, None)), False
            case ("search_markers", _, stem):
                hits = tuple(each for each in world.objects if stem in each.description)
                yield with_process(world, index, told(process, hits)), False
            case ("mentions", _):
                yield with_process(world, index, told(process, Mentions())), False
            case other:
                raise AssertionError(f"nobody should ask for {other}")

    def _sent(
        self, world: World, index: int, process: Process, description: str
    ) -> Iterator[tuple[World, bool]]:
        """Answer; or do not, whenever it is carried out; or refuse; or let the sender die."""
        made = self._created(world, description)
        yield with_process(made, index, told(process, made.objects[-1].id)), False
        if world.losses:
            losses, waiting = world.losses - 1, replace(process, hangs=PATIENCE)
            late = (*world.late, (PATIENCE + LATE, description))
            yield with_process(replace(made, losses=losses), index, waiting), True
            yield with_process(replace(world, losses=losses, late=late), index, waiting), True
            yield with_process(replace(world, losses=losses), index, told(process, MLCode.LIMIT)), True
        if world.crashes:
            late = (*world.late, (LATE, description))
            yield with_process(replace(world, crashes=world.crashes - 1, late=late), index, Process()), True

    def _created(self, world: World, description: str) -> World:
        one = Object(self.ids(world.made), description)
        return replace(world, made=world.made + 1, objects=(*world.objects, one))


class _Asked:
    def __init__(self, *call: Any) -> None:
        self._call = call

    def __await__(self) -> Generator[Call, Any, Any]:
        value = yield self._call
        if isinstance(value, Exception):
            raise value
        return value


class _AskingCluster:
    def __getattr__(self, name: str) -> Callable[..., Any]:
        return (lambda *_: None) if name == "forget" else lambda *args, **_: _Asked(name, *args)


class _AskingStore:
    async def read(self, key: ObjectKey) -> Snapshot | None:
        answer: Snapshot | None = await _Asked("read", key)
        return answer

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        raise AssertionError(f"only a connection reads all {kind} of {namespace}")

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        answer: Snapshot = await _Asked("write", snapshot, status)
        return answer


def _ports(index: int, version: Version, clock: list[float], quiet: float) -> Ports:
    """Return the ports of one run; no two intents are announced at the same time."""
    stage, pool = Stage(), MemoryPool()
    stage.cluster()
    pool.clients = dict.fromkeys(stage.pool.clients, _AskingCluster())  # type: ignore[arg-type]
    wall = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=version.number)
    return Ports(
        store=_AskingStore(),
        secrets=MemorySecrets(),
        exports=MemoryExports(),
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        events=RecordedEvents(),
        pool=pool,
        catalog=MemoryCatalog(stage.store, {}),
        wake=pool.woken.append,
        mask=str,
        now=lambda: wall,
        monotonic=lambda: clock[0],
        holder=f"pod-{index}",
        quiet_period=quiet,
    )


def _hit(one: Object) -> Hit:
    number = int("".join(filter(str.isdigit, one.id)))
    source = {"name": "one", "version": "1", "protocol": "http", "created_time": number}
    return Hit(one.id, source | {"description": one.description, "actions": ACTIONS})


ACTIONS = [{"action_type": "predict", "method": "POST", "url": "https://models.example/v1/embeddings"}]
