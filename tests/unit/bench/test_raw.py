"""The driver that the operator is measured against: it does the job, with the fewest requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bench.raw import RawDriver
from bench.usage import Servers
from support.fake_mlcommons import FakeMLCommons
from support.fake_mlcommons.cluster import Call

SETS = 5
CONNECTOR = {
    "name": "bench",
    "description": "",
    "version": "1",
    "protocol": "http",
    "parameters": {},
    "credential": {"key": "value"},
    "actions": [{"action_type": "predict", "method": "POST", "url": "http://127.0.0.1:9/v1/embeddings"}],
}


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons(settings={"connector.private_ip_enabled": "true"}) as fake:
        yield fake


@pytest.fixture
async def driver(server: FakeMLCommons) -> AsyncIterator[RawDriver]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        yield RawDriver(client, gate=2, connector=CONNECTOR, prefix="bench", servers=Servers({}))


async def test_every_step_does_what_it_is_measured_for(server: FakeMLCommons, driver: RawDriver) -> None:
    created = await driver.create(SETS)
    assert {model["model_state"] for model in server.models.values()} == {"DEPLOYED"}
    assert (len(server.models), len(server.connectors), len(server.groups)) == (SETS, SETS, SETS)
    assert len(created.latencies) == SETS
    for operation in ("create-group", "create-connector", "register-model", "deploy-model"):
        assert created.requests[operation] == SETS

    assert (await driver.edit()).requests == {"update-model": SETS}
    assert {model["description"] for model in server.models.values()} == {"changed"}

    before = set(server.connectors)
    await driver.rotate()
    assert before.isdisjoint(server.connectors)
    assert {model["connector_id"] for model in server.models.values()} == set(server.connectors)

    deleted = await driver.delete()
    assert {**server.models, **server.connectors, **server.groups} == {}
    assert sum(deleted.requests.values()) == 4 * SETS


async def test_no_more_registers_than_the_gate_lets_in(server: FakeMLCommons, driver: RawDriver) -> None:
    inside, most = 0, 0

    async def count(call: Call) -> None:
        nonlocal inside, most
        inside += call.operation == "register-model"
        most = max(most, inside)

    async def leave(call: Call, _: int, __: Any) -> None:
        nonlocal inside
        inside -= call.operation == "register-model"

    server.before, server.after = count, leave
    await driver.create(SETS)
    assert 0 < most <= driver.gate


async def test_a_refusal_is_counted_and_tried_again(server: FakeMLCommons, driver: RawDriver) -> None:
    server.fail("register-model", status=429)
    assert (await driver.create(1)).refused == 1
    assert len(server.models) == 1


async def test_what_is_wrong_ends_the_run(server: FakeMLCommons, driver: RawDriver) -> None:
    server.fail("create-group", status=400)
    with pytest.raises(httpx.HTTPStatusError):
        await driver.create(1)
