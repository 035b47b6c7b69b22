"""Runs the reconcilers: takes keys from the queue, and turns outcomes and errors into the next run."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from ..errors import (
    KubernetesUnavailableError,
    MLError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)
from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.outcome import Outcome, Reconciler
from .cache import Cache
from .finalizing import Finalizations
from .outage import OutageGate
from .queue import KeyedQueue, Priority

CONFLICT_DELAY: Final = 0.1
"""The watch is about to deliver the version that won; growing, in case it is not."""
GONE_AGAIN: Final = 30.0
"""The watch tells of a deletion sooner; without it, the 404 may come from an API server that is starting."""
RESYNC_FROM: Final = 30.0
"""A run wanted earlier than this is a step of work under way: a resync interval is never shorter."""
SPREAD: Final = 0.2
"""Objects that were reconciled together must not stay together for ever."""

_PACKAGE: Final = "opensearch_ml_operator/"

log = logging.getLogger(__name__)


class RunResult(StrEnum):
    """How a run ended, as the metrics tell it."""

    SUCCESS = "success"
    CONFLICT = "conflict"  # another writer was faster: harmless, and tried again at once
    TRANSIENT_ERROR = "transient_error"  # a server refused, failed or did not answer
    TERMINAL_ERROR = "terminal_error"  # a defect of the operator
    CANCELLED = "cancelled"  # cut off by the end of the process


class RunObserver(Protocol):
    """Told of every run, and of every version of an object; must not fail."""

    def run_started(self, snapshot: Snapshot) -> None:
        """Note that a reconciler was called."""

    def run_ended(self, snapshot: Snapshot, result: RunResult, seconds: float) -> None:
        """Note that it returned, raised, or was cut off."""

    def changed(self, before: Snapshot | None, after: Snapshot) -> None:
        """Note a newer version, whoever has told of it first: the watch or the answer to a write."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the engine; times in seconds."""

    workers: int = 32
    run: float = 120.0
    """A run that takes longer is cut off: every call in it has a shorter limit of its own, so it hangs."""
    drain: float = 20.0
    """How long running reconciles may go on after `stop`."""
    stuck: float = 300.0
    """Work that waits while no run ends for so long means that the engine is stuck."""


class Workers:
    """Some tasks that do the same: never two on one key, and none ends before the queue is closed.

    An object that needs nothing of us any more is finished, and stays known until it is gone: as long as its
    finalizer stands, another process would begin with it anew, and need all that it refers to.
    """

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        queue: KeyedQueue,
        cache: Cache,
        gate: OutageGate,
        finalizations: Finalizations,
        observer: RunObserver,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._reconcilers = reconcilers
        self._queue = queue
        self._cache = cache
        self._gate = gate
        self._finalizations = finalizations
        self._observer = observer
        self._clock = clock
        self._limits = limits
        self._tasks: list[asyncio.Task[None]] = []
        self._beat = clock()

    @property
    def since_beat(self) -> float:
        """Seconds since a worker last took or finished a key."""
        return self._clock() - self._beat

    async def run(self) -> None:
        """Work until `stop`; a defect in the loop itself ends all workers and is raised."""
        async with asyncio.TaskGroup() as group:
            self._tasks = [
                group.create_task(self._work(), name=f"worker-{number}")
                for number in range(self._limits.workers)
            ]

    async def stop(self) -> None:
        """Start nothing more, let what runs come to its end within the drain time, and cut off the rest."""
        self._queue.close()
        self._gate.shut_down()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._limits.drain)
        if late:
            log.warning("Cutting off %d reconciles that did not end in time.", len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            self._beat = self._clock()
            try:
                if await self._gate.enter():
                    await self._process(key)
            finally:
                self._queue.done(key)
                self._beat = self._clock()
            # A run that finds nothing to do awaits nothing. Thousands of them must not be one step of the
            # event loop: the Lease, the probes and the watches would wait for the last.
            await asyncio.sleep(0)

    async def _process(self, key: ObjectKey) -> None:
        snapshot = self._cache.get(key)
        if snapshot is None or self._finalizations.is_finished(snapshot.uid):
            self._queue.forget(key)
        elif snapshot.finalizer:
            await self._attempt(snapshot)
        # Otherwise kopf is about to set the finalizer, which comes back as a change of the object.

    async def _attempt(self, snapshot: Snapshot) -> None:
        reconciler = self._reconcilers[snapshot.key.kind]
        result = RunResult.CANCELLED
        started = self._clock()
        self._observer.run_started(snapshot)
        limit = asyncio.timeout(self._limits.run)
        try:
            async with limit:
                act = reconciler.finalize if snapshot.deleting else reconciler.reconcile
                outcome = await act(snapshot)
            result = self._succeeded(snapshot, outcome)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            result = self._crashed(snapshot.key, error, "something it waited for was cancelled")
        except OperatorError as error:
            result = self._failed(snapshot.key, error)
        except Exception as error:  # noqa: BLE001 - a defect in one reconciler must not stop the others
            expired = isinstance(error, TimeoutError) and limit.expired()
            why = f"it took longer than {self._limits.run:.0f} s" if expired else type(error).__name__
            result = self._crashed(snapshot.key, error, why)
        finally:
            self._observer.run_ended(snapshot, result, self._clock() - started)

    def _succeeded(self, snapshot: Snapshot, outcome: Outcome) -> RunResult:
        key = snapshot.key
        self._gate.passed()
        if outcome.finalized and snapshot.deleting:
            self._queue.forget(key)
            self._finalizations.finish(snapshot.uid, key)
        elif outcome.retry:
            self._queue.retry(key, at_least=outcome.requeue_after or 0.0)
            return RunResult.TRANSIENT_ERROR
        else:
            self._queue.forget(key)
            step = outcome.requeue_after is not None and outcome.requeue_after < RESYNC_FROM
            if outcome.requeue_after is not None:
                priority = Priority.UNDER_WAY if step else Priority.RESYNC
                self._queue.add_after(key, outcome.requeue_after, priority, spread=SPREAD)
            if not step:
                self._cache.pack(key)
        return RunResult.SUCCESS

    def _failed(self, key: ObjectKey, error: OperatorError) -> RunResult:
        match error:
            case StatusConflictError():
                self._gate.answered()
                self._queue.retry(key, first=CONFLICT_DELAY, priority=Priority.URGENT)
                return RunResult.CONFLICT
            case ObjectGoneError():
                self._gate.answered()
                self._queue.forget(key)
                self._queue.add_after(key, GONE_AGAIN, Priority.RESYNC)
                return RunResult.SUCCESS
            case KubernetesUnavailableError(retry_after=retry_after):
                self._gate.failed(retry_after)
            case MLError(retry_after=retry_after):
                self._gate.passed()
            case _:
                self._gate.passed()
                retry_after = None
        delay = self._queue.retry(key, at_least=retry_after or 0.0)
        log.warning("Reconcile failed, next try in %.1f s: %s", delay, error, extra={"key": key})
        return RunResult.TRANSIENT_ERROR

    def _crashed(self, key: ObjectKey, error: BaseException, why: str) -> RunResult:
        """Text and traceback of a foreign exception may hold anything, also secrets: only for debugging."""
        self._gate.passed()
        delay = self._queue.retry(key)
        where = _where(error)
        log.error("Reconcile broke off, next try in %.1f s: %s%s", delay, why, where, extra={"key": key})
        log.debug("Where it broke off:", exc_info=error, extra={"key": key})
        return RunResult.TERMINAL_ERROR


def _is_being_cancelled() -> bool:
    """Whether a CancelledError is meant for this worker, rather than for something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _where(error: BaseException) -> str:
    """Say where in our code it happened: file and line, which hold no data."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in frame.filename]
    return f" at {ours[-1].filename.rpartition(_PACKAGE)[2]}:{ours[-1].lineno}" if ours else ""
