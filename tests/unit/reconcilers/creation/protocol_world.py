"""A world for the create protocol, small enough to visit all of it.

One resource, a server that may carry out a request long after its sender has gone, processes that die,
answers that get lost, and a user who may delete the resource at any time. Time is relative: `now` is always
0, and it passes only while every process waits. `create.plan` and `create.resolve` decide what the processes
do; this module only carries it out, one step a transition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from opensearch_ml_operator.models.common import Pending
from opensearch_ml_operator.reconcilers.creation.protocol import (
    Absent,
    Adopt,
    CreateMemory,
    Found,
    Intend,
    Intention,
    Role,
    Search,
    Send,
    Step,
    WaitUnresolved,
    next_intent,
    plan,
    remember_search,
    resolve,
)

LATEST = 100.0
"""Seconds after which a request that is under way is applied or lost; less than the quiet period."""


@dataclass(frozen=True, slots=True)
class View:
    """The resource as a process has read it."""

    version: int = 0
    id: int | None = None
    pending: Pending | None = None
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """One operator process: `answer` is an id that was answered and is not recorded yet."""

    memory: CreateMemory = field(default_factory=CreateMemory)
    view: View | None = None
    answer: int | None = None
    wake_in: float | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything there is. `late` holds the seconds that each request under way may still take."""

    stored: View
    processes: tuple[Process, ...]
    crashes: int
    losses: int
    gone: bool = False
    made: int = 0
    objects: frozenset[int] = frozenset()
    late: tuple[float, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the resource has what it wants: one recorded object, or nothing and itself gone."""
        if self.gone:
            return not self.objects and not self.late
        recorded = self.stored.id is not None and self.stored.pending is None
        return recorded and not self.stored.deleting and self.stored.id in self.objects


@dataclass(frozen=True, slots=True)
class Transition:
    """A world that may come next; a fault is something that need not happen."""

    world: World
    fault: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search has seen in all the worlds that can be reached."""

    worlds: int
    most_objects: int
    left_behind: bool
    """Whether an object may exist after its resource has gone."""
    stuck: bool
    """Whether there is a world from which no way leads to a finished one without another fault."""


def search(*, processes: int, crashes: int, losses: int, quiet_period: float) -> Verdict:
    """Visit every world."""
    start = World(View(), (Process(),) * processes, crashes, losses)
    after: dict[World, list[World]] = {}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        if world in after:
            continue
        transitions = list(_transitions(world, quiet_period))
        after[world] = [each.world for each in transitions if not each.fault]
        queue.extend(each.world for each in transitions)
    return Verdict(
        worlds=len(after),
        most_objects=max(len(world.objects) for world in after),
        left_behind=any(world.gone and world.objects for world in after),
        stuck=bool(after.keys() - _able_to_finish(after)),
    )


def _able_to_finish(after: dict[World, list[World]]) -> set[World]:
    before: dict[World, list[World]] = {}
    for world, nexts in after.items():
        for each in nexts:
            before.setdefault(each, []).append(world)
    able: set[World] = set()
    queue = deque(world for world in after if world.finished)
    while queue:
        world = queue.popleft()
        if world not in able:
            able.add(world)
            queue.extend(before.get(world, ()))
    return able


def _transitions(world: World, quiet_period: float) -> Iterator[Transition]:
    for place, left in enumerate(world.late):
        others = world.late[:place] + world.late[place + 1 :]
        yield Transition(_made(replace(world, late=others)))
        yield Transition(replace(world, late=others), fault=left > 0)
    if not world.gone:
        if not world.stored.deleting:
            stored = replace(world.stored, deleting=True, version=world.stored.version + 1)
            yield Transition(replace(world, stored=stored), fault=True)
        for index, process in enumerate(world.processes):
            if world.crashes and process != Process():
                yield Transition(
                    _with(replace(world, crashes=world.crashes - 1), index, Process()), fault=True
                )
            yield from _run(world, index, process, quiet_period)
    yield from _pass_time(world)


def _pass_time(world: World) -> Iterator[Transition]:
    waits = list(world.late)
    for process in () if world.gone else world.processes:
        if process.wake_in is not None:
            waits.append(process.wake_in)
        elif not _idle(world, process):
            return
    if not waits or (step := min(waits)) <= 0:
        return
    yield Transition(
        replace(
            world,
            late=tuple(left - step for left in world.late),
            processes=tuple(_older(process, step) for process in world.processes),
        )
    )


def _older(process: Process, step: float) -> Process:
    memory = process.memory
    return replace(
        process,
        memory=replace(
            memory,
            unresolved_since=None if memory.unresolved_since is None else memory.unresolved_since - step,
            last_search=None if memory.last_search is None else memory.last_search - step,
        ),
        wake_in=None if process.wake_in is None or process.wake_in <= step else process.wake_in - step,
    )


def _idle(world: World, process: Process) -> bool:
    return process.view == world.stored and world.stored.id is not None and not world.stored.deleting


def _run(world: World, index: int, process: Process, quiet_period: float) -> Iterator[Transition]:
    """Let one process take its next step on what it has read."""
    if process.wake_in is not None or _idle(world, process):
        return
    if process.view is None:
        yield Transition(_with(world, index, replace(process, view=world.stored)))
    elif process.answer is not None:
        yield _recorded(world, index, process, process.answer)
    elif process.view.id is not None and not process.view.deleting:
        yield Transition(_with(world, index, replace(process, view=None)))
    else:
        intention = Intention(
            role=Role.CONNECTOR,
            revision=1,
            hash="h",
            holder=f"p{index}",
            now=str(world.stored.version),  # no two intents are announced at the same time
            quiet_period=quiet_period,
        )
        yield from _carry_out(world, index, process, process.view, intention)


def _carry_out(
    world: World, index: int, process: Process, view: View, intention: Intention
) -> Iterator[Transition]:
    step, memory = _decide(world, process, view, intention)
    process = replace(process, memory=memory)
    match step:
        case Absent() if view.deleting:
            # Whatever carries the marker is deleted before the finalizer goes.
            yield Transition(replace(world, objects=frozenset(), gone=True, processes=()))
        case Adopt() if view.deleting:
            yield Transition(replace(world, objects=frozenset(), gone=True, processes=()))
        case Intend(pending):
            yield from _intended(world, index, process, pending)
        case Absent():
            assert view.pending is not None
            yield from _intended(world, index, process, next_intent(intention, view.pending))
        case Send():
            yield from _sent(world, index, process)
        case Adopt(id_, _):
            yield _recorded(world, index, process, int(id_))
        case WaitUnresolved(seconds, _):
            yield Transition(_with(world, index, replace(process, view=None, wake_in=seconds)))
        case Search():
            raise AssertionError("a search follows a search")


def _decide(world: World, process: Process, view: View, intention: Intention) -> tuple[Step, CreateMemory]:
    """Return the next step; a search and what follows from its result are one step."""
    memory = process.memory
    if view.deleting:
        if view.pending is None or memory.fresh == view.pending:
            return Absent(), memory
        step = resolve(intention, memory, None, monotonic=0.0)
    else:
        step = plan(intention, view.pending, memory, None, monotonic=0.0)
    if not isinstance(step, Search):
        return step, memory
    memory = remember_search(
        memory, quiet_period=intention.quiet_period, empty=not world.objects, monotonic=0.0
    )
    found = Found(tuple((id_, str(id_)) for id_ in world.objects))
    return resolve(intention, memory, found, monotonic=0.0), memory


def _intended(world: World, index: int, process: Process, pending: Pending) -> Iterator[Transition]:
    stored = _written(world, process, replace(world.stored, pending=pending))
    if stored is None:
        yield Transition(_with(world, index, replace(process, view=None)))
        return
    known = replace(process, view=stored, memory=CreateMemory(fresh=pending))
    yield Transition(_with(replace(world, stored=stored), index, known))
    if world.losses:
        unknown = replace(world, stored=stored, losses=world.losses - 1)
        yield Transition(_with(unknown, index, replace(process, view=None)), fault=True)


def _sent(world: World, index: int, process: Process) -> Iterator[Transition]:
    used = replace(process, memory=CreateMemory(unresolved_since=0.0))
    made = _made(world)
    yield Transition(_with(made, index, replace(used, answer=made.made)))
    unanswered = replace(used, view=None)
    late = (*world.late, LATEST)
    if world.losses:
        yield Transition(_with(replace(made, losses=made.losses - 1), index, unanswered), fault=True)
        yield Transition(_with(replace(world, losses=world.losses - 1), index, unanswered), fault=True)
        delayed = replace(world, late=late, losses=world.losses - 1)
        yield Transition(_with(delayed, index, unanswered), fault=True)
        yield Transition(_refused(replace(world, losses=world.losses - 1), index, used), fault=True)
    if world.crashes:
        yield Transition(
            _with(replace(world, late=late, crashes=world.crashes - 1), index, Process()), fault=True
        )


def _refused(world: World, index: int, process: Process) -> World:
    stored = _written(world, process, replace(world.stored, pending=None))
    return _with(replace(world, stored=stored or world.stored), index, Process())


def _recorded(world: World, index: int, process: Process, id_: int) -> Transition:
    stored = _written(world, process, replace(world.stored, id=id_, pending=None))
    if stored is None:
        return Transition(_with(world, index, replace(process, view=None, answer=None)))
    return Transition(_with(replace(world, stored=stored), index, Process()))


def _written(world: World, process: Process, wanted: View) -> View | None:
    """Return what is stored after a compare-and-set, None when it lost."""
    if process.view is None or process.view.version != world.stored.version:
        return None
    return replace(wanted, version=world.stored.version + 1)


def _made(world: World) -> World:
    return replace(world, made=world.made + 1, objects=world.objects | {world.made + 1})


def _with(world: World, index: int, process: Process) -> World:
    return replace(world, processes=(*world.processes[:index], process, *world.processes[index + 1 :]))
