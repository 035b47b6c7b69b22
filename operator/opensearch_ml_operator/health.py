"""The answers to kubelet and Prometheus: alive, ready, and the metrics."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from aiohttp import web

from .engine.controller import Vitals
from .metrics import CONTENT_TYPE, Metrics

BEAT: Final = 1.0
"""Seconds between two looks at how late the event loop is."""
SILENCE: Final = 30.0
"""After so long without a beat the event loop is too busy for the operator to do its work."""


class Ports(NamedTuple):
    """Where the answers are given; of interest when any free port was asked for."""

    health: int
    metrics: int


class Health:
    """Alive while engine and event loop move; ready when no obstacle is left. `clock` is monotonic."""

    def __init__(
        self, *, vitals: Callable[[], Vitals], metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._vitals = vitals
        self._metrics = metrics
        self._clock = clock
        self._last_beat = clock()
        self._obstacles: dict[str, str] = {"start": "The operator is starting."}

    def obstacle(self, name: str, text: str | None) -> None:
        """Name what keeps the operator from being ready, or None when it is gone."""
        if text is None:
            self._obstacles.pop(name, None)
        else:
            self._obstacles[name] = text

    @contextlib.asynccontextmanager
    async def serve(self, *, address: str, health_port: int, metrics_port: int) -> AsyncIterator[Ports]:
        """Answer on both ports, 0 for any free one. Raises OSError when one of them is taken."""
        health, metrics = web.Application(), web.Application()
        health.router.add_get("/healthz", self._healthz)
        health.router.add_get("/readyz", self._readyz)
        metrics.router.add_get("/metrics", self._scrape)
        async with contextlib.AsyncExitStack() as stack:
            ports = Ports(
                await stack.enter_async_context(_listening(health, address, health_port)),
                await stack.enter_async_context(_listening(metrics, address, metrics_port)),
            )
            beating = asyncio.create_task(self._beat())
            try:
                yield ports
            finally:
                beating.cancel()
                await asyncio.wait([beating])

    async def _beat(self) -> None:
        while True:
            self._last_beat = before = self._clock()
            await asyncio.sleep(BEAT)
            self._metrics.loop_lag(max(self._clock() - before - BEAT, 0.0))

    async def _healthz(self, _: web.Request) -> web.Response:
        vitals = self._vitals()
        facts = f"waiting={vitals.waiting} planned={vitals.planned} processing={vitals.processing}"
        if not vitals.healthy:
            return web.Response(status=503, text=f"the queue does not move: {facts}\n")
        if self._clock() - self._last_beat > SILENCE:
            return web.Response(status=503, text=f"the event loop does not keep up: {facts}\n")
        return web.Response(text=f"ok {facts}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._obstacles:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="\n".join(self._obstacles.values()) + "\n")

    async def _scrape(self, request: web.Request) -> web.Response:
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        body = await asyncio.to_thread(self._metrics.scrape(packed=packed))
        encoding = {"Content-Encoding": "gzip"} if packed else {}
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE, **encoding})


@contextlib.asynccontextmanager
async def _listening(app: web.Application, address: str, port: int) -> AsyncIterator[int]:
    """Serve the application, and yield its port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
