"""The whole operator in a thread of the test's process: started, stopped, killed; its time can fly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import selectors
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from opensearch_ml_operator import app, assembly
from opensearch_ml_operator.config import Settings
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.logs import Redactor
from opensearch_ml_operator.metrics import Metrics

from .eventually import eventually

log = logging.getLogger(__name__)

_JOIN_SECONDS = 30.0


class Clock:
    """A clock that runs `speed` times as fast as the real one, from the moment it is made."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._start = time.monotonic()
        self._wall = datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._start + (time.monotonic() - self._start) * self.speed

    def now(self) -> datetime:
        """Return the time of day."""
        return self._wall + timedelta(seconds=(time.monotonic() - self._start) * self.speed)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop by whose time everything waits: sleeps, time-outs, the work queue."""
        return _FastLoop(self)


class Pace(Protocol):
    """A clock, and loops that go by it."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""

    def now(self) -> datetime:
        """Return the time of day."""

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop by whose time everything waits."""


class _FastSelector(selectors.DefaultSelector):
    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._speed)


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._fast = clock
        super().__init__(_FastSelector(clock.speed))

    def time(self) -> float:
        return self._fast.monotonic()


class OperatorInProcess:
    """One operator at a time. It has an event loop of its own because kopf, when it ends, ends all tasks.

    KUBECONFIG in the environment of the process must name the file: kopf reads it there.
    """

    def __init__(self, kubeconfig: Path, clock: Pace, **settings: Any) -> None:
        self.kubeconfig = kubeconfig
        self._environ: Mapping[str, str] = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._clock = clock
        self._settings = Settings(leader_election=False, **settings)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._killed = False
        self.redactor = Redactor()
        self.metrics = Metrics()

    @property
    def running(self) -> bool:
        """Whether the operator lives."""
        return self._thread is not None and self._thread.is_alive()

    def now(self) -> datetime:
        """Return the operator's time of day."""
        return self._clock.now()

    async def start(self) -> None:
        """Start one, which knows nothing of those before it; returns when it watches."""
        assert not self.running
        self._ready.clear()
        self._killed, self._failure = False, None
        self.redactor, self.metrics = Redactor(), Metrics()
        self._begin()
        await eventually(lambda: self._ready.is_set() or not self.running, seconds=_JOIN_SECONDS)
        self._raise_failure()

    async def stop(self) -> float:
        """Stop as SIGTERM does; returns the seconds that it took, by the operator's clock."""
        started = self._clock.monotonic()
        async with self._burial():
            if self._stopping is not None:
                self._call(self._stopping.set)
            await eventually(lambda: not self.running, seconds=_JOIN_SECONDS)
        self._raise_failure()
        return self._clock.monotonic() - started

    async def crash(self) -> None:
        """End at once, wherever it is: no request is sent any more, all memory is lost."""
        self._killed = True
        async with self._burial():
            await eventually(self._is_dead, seconds=_JOIN_SECONDS)

    async def restart(self) -> None:
        """Crash, and start anew."""
        await self.crash()
        await self.start()

    def _call(self, action: Callable[[], object]) -> None:
        if self._loop is not None and self.running:
            with contextlib.suppress(RuntimeError):  # closed a moment ago
                self._loop.call_soon_threadsafe(action)

    def _is_dead(self) -> bool:
        """Cancel everything, again with each look: a task at its end may swallow one."""
        self._call(self._cancel_all)
        return not self.running

    def _cancel_all(self) -> None:
        if self._loop is None:
            return
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    @contextlib.asynccontextmanager
    async def _burial(self) -> AsyncIterator[None]:
        """Leave nothing of an operator that ends within: a process would leave its sockets to the kernel."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
            self._loop = self._stopping = self._thread = None
            self.redactor, self.metrics = Redactor(), Metrics()  # the old ones know every part of it
            gc.collect()

    def _raise_failure(self) -> None:
        if self._failure is not None and not self._killed:
            raise AssertionError("the operator has ended by itself") from self._failure

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._main, name="operator", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        with self._told(), asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._run())

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Keep what ends the operator for the test, whatever it is."""
        try:
            yield
        except asyncio.CancelledError:
            log.info("The operator was killed.")
        except BaseException as error:  # noqa: BLE001 - as the docstring says
            self._failure = error

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = self._clock.new_loop()
        return self._loop

    async def _run(self) -> None:
        self._stopping = asyncio.Event()
        kube = await connect(environ=self._environ, observer=self.metrics.kubernetes_request)
        async with kube:
            operator = assembly.build(
                self._settings,
                kube,
                self.metrics,
                self.redactor,
                environ=self._environ,
                monotonic=self._clock.monotonic,
                now=self._clock.now,
            )
            self._ready.set()
            await app.serve(self._settings, operator, self._environ, self._stopping)
