"""Absence counts only on the cluster that is meant."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.identity import FRESH
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings, MLCommons
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

KEY = ObjectKey("OpenSearchConnection", "ns", "main")


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(server: FakeMLCommons, clock: Clock) -> AsyncIterator[MLCommons]:
    pool = Pool(
        observer=lambda *_: None,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=clock,
    )
    made = await pool.put(KEY, ConnectionSettings(endpoints=(server.url,)))
    await made.server_info()
    yield made
    await pool.aclose()


def looks(server: FakeMLCommons) -> int:
    return sum(1 for request in server.requests if request.path == "/")


async def test_absence_is_believed_on_the_same_cluster(client: MLCommons, server: FakeMLCommons) -> None:
    assert await client.get_model("missing") is None
    assert looks(server) == 1  # the health check has just asked


async def test_absence_is_not_believed_on_another_cluster(
    client: MLCommons, server: FakeMLCommons, clock: Clock
) -> None:
    server.cluster.uuid = "another"
    clock.ahead = 3 * FRESH
    for read in (client.get_model, client.get_connector, client.get_group):
        with pytest.raises(MLError, match="another") as raised:
            await read("missing")
        assert raised.value.code is MLCode.AMBIGUOUS
    with pytest.raises(MLError, match="another"):
        await client.search_marker("model", "marker1")


async def test_a_later_health_check_does_not_change_which_cluster_is_meant(
    client: MLCommons, server: FakeMLCommons, clock: Clock
) -> None:
    server.cluster.uuid = "another"
    await client.server_info()
    clock.ahead = 3 * FRESH
    with pytest.raises(MLError):
        await client.get_model("missing")


async def test_a_burst_of_absences_asks_once(client: MLCommons, server: FakeMLCommons, clock: Clock) -> None:
    clock.ahead = 3 * FRESH
    for _ in range(5):
        assert await client.get_group("missing") is None
    assert looks(server) == 2


async def test_settings_are_changed_on_the_cluster_that_is_meant_alone(
    client: MLCommons, server: FakeMLCommons, clock: Clock
) -> None:
    setting = "plugins.ml_commons.safe_delete_model"
    await client.update_settings({setting: "true"})
    assert server.cluster.persistent == {setting: "true"}
    server.cluster.uuid = "another"
    clock.ahead = FRESH

    with pytest.raises(MLError) as refused:
        await client.update_settings({setting: None})
    assert refused.value.code is MLCode.AMBIGUOUS
    assert server.count("put-settings") == 1
