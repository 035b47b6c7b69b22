"""One moment of several operator processes and one resource, and what becomes of it.

A world is a plain value that can be compared and gone on from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from opensearch_ml_operator.errors import MLCode, StatusConflictError
from opensearch_ml_operator.models.snapshot import Snapshot
from opensearch_ml_operator.reconcilers.creation.protocol import CreateMemory
from opensearch_ml_operator.reconcilers.outcome import Outcome

FOREVER = 300.0
"""Seconds from which on a wait counts as rest."""

Call: TypeAlias = tuple[Any, ...]


class Version(NamedTuple):
    """The resource at one moment."""

    number: int = 0
    status: str = "{}"
    deleting: bool = False


class Object(NamedTuple):
    """One remote object."""

    id: str
    description: str


class Reply(NamedTuple):
    """What a call came back with, and the clock then."""

    value: Version | Object | tuple[Object, ...] | str | MLCode | type[StatusConflictError] | None
    clock: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way: what it began with, and the replies it has had."""

    version: Version
    clock: float = 0.0
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """What one process knows, and what it is at."""

    memory: CreateMemory | None = None
    run: Run | None = None
    wake_in: float = 0.0
    seen: int = -1
    """The number of the version that its last run has left behind."""
    hangs: float | None = None
    """Seconds until it gives up the answer that it waits for."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything there is."""

    stored: Version
    processes: tuple[Process, ...]
    crashes: int
    losses: int
    deletions: int
    objects: tuple[Object, ...] = ()
    late: tuple[tuple[float, str], ...] = ()
    """(seconds it may still take, description) of each request that nobody waits for any more."""
    made: int = 0
    gone: bool = False

    @property
    def finished(self) -> bool:
        """Whether the resource has its one object, or is gone and has none."""
        if self.gone:
            return not self.objects and not self.late
        status = json.loads(self.stored.status)
        recorded = "pending" not in status and not self.stored.deleting
        return recorded and [each.id for each in self.objects] == [status.get("id")]


def told(process: Process, value: Any) -> Process:
    """Return the process with the answer to its call."""
    run = process.run
    assert run is not None
    return replace(process, run=replace(run, replies=(*run.replies, Reply(value))), hangs=None)


def written(
    world: World, index: int, process: Process, snapshot: Snapshot, status: Mapping[str, Any]
) -> World:
    """Return the world after a write of the status, which fails when the resource has changed."""
    if snapshot.resource_version != str(world.stored.number):
        return with_process(world, index, told(process, StatusConflictError))
    text = json.dumps(status, sort_keys=True)
    stored = Version(world.stored.number + 1, text, world.stored.deleting)
    return with_process(replace(world, stored=stored), index, told(process, stored))


def ended(world: World, index: int, memory: CreateMemory | None, end: Call | Outcome | Exception) -> World:
    """Return the world after the end of a run."""
    run = world.processes[index].run
    assert run is not None
    if not isinstance(end, Outcome) or world.stored.deleting != run.version.deleting:
        return with_process(world, index, Process(memory))
    if end.finalized:
        return replace(world, gone=True, processes=())
    wait = 1.0 if end.retry else FOREVER if end.requeue_after is None else min(end.requeue_after, FOREVER)
    return with_process(world, index, Process(memory, wake_in=wait, seen=world.stored.number))


def time_passed(world: World) -> Iterator[tuple[World, bool]]:
    """Go on to the next moment at which something is due; nothing when somebody can go on now."""
    waits = [left for left, _ in world.late]
    for process in world.processes:
        if process.hangs is not None:
            waits.append(process.hangs)
        elif process.run is not None or process.wake_in <= 0 or process.seen != world.stored.number:
            return
        elif process.wake_in < FOREVER:
            waits.append(process.wake_in)
    if waits and (step := min(waits)) > 0:
        late = tuple((round(left - step, 3), description) for left, description in world.late)
        yield (
            replace(world, late=late, processes=tuple(_older(each, step) for each in world.processes)),
            False,
        )


def _older(process: Process, step: float) -> Process:
    def before(moment: float | None) -> float | None:
        return None if moment is None else round(moment - step, 3)

    memory, run = process.memory, process.run
    if memory is not None:
        memory = replace(
            memory,
            unresolved_since=before(memory.unresolved_since),
            last_search=before(memory.last_search),
        )
    if run is not None:
        replies = tuple(Reply(reply.value, round(reply.clock - step, 3)) for reply in run.replies)
        run = replace(run, clock=round(run.clock - step, 3), replies=replies)
    wake_in = process.wake_in if process.wake_in >= FOREVER else round(process.wake_in - step, 3)
    return replace(process, memory=memory, run=run, wake_in=wake_in, hangs=before(process.hangs))


def with_process(world: World, index: int, process: Process) -> World:
    """Return the world with this process in place of the one there."""
    return replace(world, processes=(*world.processes[:index], process, *world.processes[index + 1 :]))
