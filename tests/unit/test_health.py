from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import httpx
import pytest

from opensearch_ml_operator.engine.controller import Vitals
from opensearch_ml_operator.health import SILENCE, Health, Ports
from opensearch_ml_operator.metrics import Metrics


class Server:
    """Probes and metrics on free loopback ports, of an engine and a clock that the test sets."""

    def __init__(self) -> None:
        self.vitals = Vitals(
            waiting=3, planned=2, processing=1, oldest_wait=0.0, since_beat=0.0, healthy=True
        )
        self.ahead = 0.0
        self.metrics = Metrics()
        self.health = Health(
            vitals=lambda: self.vitals, metrics=self.metrics, clock=lambda: time.monotonic() + self.ahead
        )
        self.ports = Ports(0, 0)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Server]:
        async with self.health.serve(address="127.0.0.1", health_port=0, metrics_port=0) as self.ports:
            yield self

    async def get(self, path: str, *, port: int | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{port or self.ports.health}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()


async def test_an_engine_that_moves_is_alive() -> None:
    async with Server().run() as server:
        assert await server.get("/healthz") == (200, "ok waiting=3 planned=2 processing=1\n")


async def test_an_engine_that_is_stuck_is_not() -> None:
    async with Server().run() as server:
        server.vitals = replace(server.vitals, healthy=False)
        status, text = await server.get("/healthz")
        assert status == 503
        assert "queue does not move" in text


@pytest.mark.parametrize(("seconds", "expected"), [(SILENCE - 5, 200), (SILENCE + 5, 503)])
async def test_an_event_loop_without_a_beat_is_not_alive(seconds: float, expected: int) -> None:
    async with Server().run() as server:
        await server.get("/readyz")  # the first beat is done
        server.ahead = seconds
        assert (await server.get("/healthz"))[0] == expected


async def test_the_lag_of_the_event_loop_is_measured() -> None:
    async with Server().run() as server:
        await server.get("/readyz")  # the first beat is done
        server.ahead = 7.0  # as if the loop had been busy for so long between two beats
        deadline = time.monotonic() + 10
        while b"event_loop_lag_seconds_count 0.0" in server.metrics.scrape()():
            assert time.monotonic() < deadline, "no beat was seen"
            await asyncio.sleep(0.05)
        assert b'event_loop_lag_seconds_bucket{le="5.0"} 0.0' in server.metrics.scrape()()


async def test_the_operator_is_ready_when_no_obstacle_is_left() -> None:
    async with Server().run() as server:
        assert (await server.get("/readyz"))[0] == 503
        server.health.obstacle("crds", "The CRD mlconnectors is missing.")
        server.health.obstacle("start", None)
        assert await server.get("/readyz") == (503, "The CRD mlconnectors is missing.\n")
        server.health.obstacle("crds", None)
        server.health.obstacle("crds", None)
        assert await server.get("/readyz") == (200, "ok\n")


async def test_readiness_says_nothing_about_life() -> None:
    async with Server().run() as server:
        server.health.obstacle("crds", "missing")
        assert (await server.get("/healthz"))[0] == 200


async def test_metrics_are_served_on_their_own_port() -> None:
    async with Server().run() as server:
        status, text = await server.get("/metrics", port=server.ports.metrics)
        assert status == 200
        assert "opensearch_ml_operator_info{" in text
        assert (await server.get("/metrics"))[0] == 404
        assert (await server.get("/healthz", port=server.ports.metrics))[0] == 404


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("identity", None)])
async def test_metrics_are_packed_for_who_can_unpack_them(accepted: str, encoding: str | None) -> None:
    async with Server().run() as server, httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{server.ports.metrics}/metrics"
        answer = await http.get(url, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == encoding
        assert "opensearch_ml_operator_info{" in answer.text


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    other = Server()
    async with other.run():
        free = other.ports.health
    async with Server().run() as server:
        with pytest.raises(OSError, match="address already in use"):
            async with other.health.serve(
                address="127.0.0.1", health_port=free, metrics_port=server.ports.metrics
            ):
                pytest.fail("it must not start")
        with pytest.raises(aiohttp.ClientConnectorError):
            await other.get("/healthz")


async def test_nothing_listens_or_runs_after_the_end() -> None:
    server = Server()
    before = asyncio.all_tasks()
    async with server.run():
        assert asyncio.all_tasks() > before
    assert asyncio.all_tasks() == before
    with pytest.raises(aiohttp.ClientConnectorError):
        await server.get("/healthz")
