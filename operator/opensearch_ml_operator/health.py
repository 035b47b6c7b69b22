"""The answers to kubelet and Prometheus: alive, ready, and the metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from .engine.controller import Vitals
from .metrics import CONTENT_TYPE, Metrics

_FIELDS = ("waiting", "planned", "processing")


class Health:
    """Alive while the engine moves; ready when nothing on the list of obstacles is left."""

    def __init__(self, *, vitals: Callable[[], Vitals], metrics: Metrics) -> None:
        self._vitals = vitals
        self._metrics = metrics
        self._obstacles: dict[str, str] = {"start": "The operator is starting."}

    def obstacle(self, name: str, text: str | None) -> None:
        """Name what keeps the operator from being ready, or None when it is gone."""
        if text is None:
            self._obstacles.pop(name, None)
        else:
            self._obstacles[name] = text

    @contextlib.asynccontextmanager
    async def serve(self, *, address: str, health_port: int, metrics_port: int) -> AsyncIterator[None]:
        """Answer on both ports. Raises OSError when one of them is taken."""
        health, metrics = web.Application(), web.Application()
        health.router.add_get("/healthz", self._healthz)
        health.router.add_get("/readyz", self._readyz)
        metrics.router.add_get("/metrics", self._scrape)
        runners = [web.AppRunner(app, access_log=None) for app in (health, metrics)]
        try:
            for runner, port in zip(runners, (health_port, metrics_port), strict=True):
                await runner.setup()
                await web.TCPSite(runner, address, port).start()
            yield
        finally:
            for runner in runners:
                await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        vitals = self._vitals()
        facts = " ".join(f"{name}={getattr(vitals, name)}" for name in _FIELDS)
        if vitals.healthy:
            return web.Response(text=f"ok {facts}\n")
        return web.Response(status=503, text=f"the queue does not move: {facts}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._obstacles:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="\n".join(self._obstacles.values()) + "\n")

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.scrape(), headers={"Content-Type": CONTENT_TYPE})
