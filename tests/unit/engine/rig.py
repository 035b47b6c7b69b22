"""A whole engine on fake reconcilers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from opensearch_ml_operator.engine.cache import Cache
from opensearch_ml_operator.engine.controller import Controller
from opensearch_ml_operator.engine.links import Links
from opensearch_ml_operator.engine.queue import KeyedQueue
from opensearch_ml_operator.engine.workers import Limits
from unit.engine.builders import FakeReconciler, RecordingObserver


class Rig:
    """Runs the engine inside `async with`; its clock is the loop's, so that virtual time applies."""

    def __init__(self, models: FakeReconciler, *, workers: int = 4, chance: float = 0.5) -> None:
        clock = asyncio.get_running_loop().time
        self.models = models
        self.connectors = FakeReconciler()
        self.observer = RecordingObserver()
        self.cache = Cache()
        self.links = Links()
        self.controller = Controller(
            {
                "RemoteModel": models,
                "OpenSearchConnection": models,
                "MLClusterSettings": models,
                "MLConnector": self.connectors,
            },
            queue=KeyedQueue(clock=clock, random=lambda: chance),
            cache=self.cache,
            links=self.links,
            observer=self.observer,
            clock=clock,
            random=lambda: chance,
            limits=Limits(workers=workers),
        )
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.controller.run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.controller.stop()
        assert self._running is not None
        await self._running

    async def settle(self) -> None:
        """Let everything happen that needs no time to pass."""
        await asyncio.sleep(0.001)


@asynccontextmanager
async def start(models: FakeReconciler | None = None, *, chance: float = 0.5) -> AsyncIterator[Rig]:
    async with Rig(models or FakeReconciler(), chance=chance) as rig:
        yield rig
