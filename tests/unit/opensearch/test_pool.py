"""The pool: one client per connection, closed for all when one call does not get through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.operations import Operation
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.reconcilers.ports import (
    ConnectionPool,
    ConnectionSettings,
    MLCommons,
    ServerInfo,
)
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

KEY = ObjectKey("OpenSearchConnection", "ns", "main")
OTHER = ObjectKey("OpenSearchConnection", "ns", "other")
FOUND = ServerInfo("3.6.0", "opensearch", "fake", "uuid", (), private_addresses_allowed=True)
A, B = (ObjectKey("RemoteModel", "ns", name) for name in "ab")


class Recorder:
    def __init__(self) -> None:
        self.failures: list[ObjectKey] = []
        self.woken: list[ObjectKey] = []
        self.requests: list[tuple[ObjectKey, str, str]] = []

    def observe(self, key: ObjectKey, operation: Operation, outcome: str, _: float) -> None:
        self.requests.append((key, operation.value, outcome))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def pool(recorder: Recorder) -> AsyncIterator[Pool]:
    made = Pool(
        observer=recorder.observe,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=recorder.failures.append,
        wake=recorder.woken.append,
        clock=time.monotonic,
    )
    yield made
    await made.aclose()


def settings(server: FakeMLCommons, **changes: object) -> ConnectionSettings:
    values: dict[str, object] = {"endpoints": (server.url,), **changes}
    return ConnectionSettings(**values)  # type: ignore[arg-type]


async def test_it_is_what_the_reconcilers_ask_for(pool: Pool) -> None:
    port: ConnectionPool = pool
    client: MLCommons = await port.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",)))
    assert port.client(KEY) is None
    port.report(KEY, None)
    assert port.client(KEY) is client


async def test_an_unknown_connection(pool: Pool) -> None:
    assert pool.client(KEY) is None
    assert not pool.available(KEY)
    assert pool.private_addresses_allowed(KEY)
    pool.report(KEY, FOUND)
    assert not pool.available(KEY)
    await pool.drop(KEY)


async def test_equal_settings_keep_the_client(pool: Pool) -> None:
    async with FakeMLCommons() as server:
        first = await pool.put(KEY, settings(server))
        pool.report(KEY, FOUND)
        assert await pool.put(KEY, settings(server)) is first
        assert pool.available(KEY)


@pytest.mark.parametrize(
    "change", [{"password": "new", "username": "op"}, {"ca": b"x"}, {"read_timeout": 1.0}]
)
async def test_changed_settings_make_a_client_that_is_not_available_yet(
    pool: Pool, change: dict[str, object]
) -> None:
    async with FakeMLCommons() as server:
        first = await pool.put(KEY, settings(server))
        pool.report(KEY, FOUND)
        second = await pool.put(KEY, settings(server, **change))
        assert second is not first
        assert pool.client(KEY) is None
        assert not pool.available(KEY)
        pool.report(KEY, FOUND)
        assert pool.client(KEY) is second


async def test_a_replaced_client_finishes_its_calls(pool: Pool) -> None:
    async with FakeMLCommons() as server:
        first = await pool.put(KEY, settings(server))
        hold = server.hold("create-group")
        call = asyncio.create_task(first.create_group({"name": "g"}))
        await hold.arrived.wait()
        await pool.put(KEY, settings(server, read_timeout=1.0))
        hold.release()
        assert await call in server.groups
        assert await first.create_group({"name": "h"}) in server.groups


@pytest.mark.parametrize("changed", ["endpoints", "ca", "server_name"])
async def test_who_has_the_old_client_does_not_get_to_what_may_be_another_cluster(
    pool: Pool, changed: str
) -> None:
    async with FakeMLCommons() as server, FakeMLCommons() as other:
        first = await pool.put(KEY, settings(server))
        values = {"endpoints": (other.url,), "ca": b"another", "server_name": "another"}
        await pool.put(KEY, settings(server, **{changed: values[changed]}))
        with pytest.raises(MLError) as closed:
            await first.create_group({"name": "h"})
        assert closed.value.code is MLCode.NOT_SENT
        assert (server.count(), other.count()) == (0, 0)


async def test_who_has_the_old_client_goes_on_with_the_new_login(pool: Pool) -> None:
    """A reconcile makes several calls; the password may change between two of them, more than once."""
    async with FakeMLCommons(users={"op": "first"}) as server:
        client = await pool.put(KEY, settings(server, username="op", password="first"))
        await client.create_group({"name": "a"})
        for password in ("second", "third"):
            server.cluster.users["op"] = password
            await pool.put(KEY, settings(server, username="op", password=password))
        assert await client.create_group({"name": "b"}) in server.groups


async def test_reports_open_and_close(pool: Pool) -> None:
    async with FakeMLCommons() as server:
        await pool.put(KEY, settings(server))
        assert not pool.available(KEY)
        pool.report(KEY, replace(FOUND, private_addresses_allowed=False))
        assert pool.available(KEY)
        assert not pool.private_addresses_allowed(KEY)
        pool.report(KEY, None)
        assert not pool.available(KEY)
        assert not pool.private_addresses_allowed(KEY)


async def test_a_call_that_does_not_get_through_closes_the_connection_once(
    pool: Pool, recorder: Recorder
) -> None:
    async with FakeMLCommons() as server:
        client = await pool.put(KEY, settings(server))
        await pool.put(OTHER, settings(server))
        for key in (KEY, OTHER):
            pool.report(key, FOUND)
        await server.stop()
        results = await asyncio.gather(*(client.get_model("a") for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, MLError) for result in results)
        assert recorder.failures == [KEY]
        assert (pool.available(KEY), pool.available(OTHER)) == (False, True)
        await server.start()
        pool.report(KEY, FOUND)
        assert await client.get_model("a") is None
        assert pool.available(KEY)


async def test_refused_credentials_close_the_connection(pool: Pool, recorder: Recorder) -> None:
    async with FakeMLCommons(users={"op": "right"}) as server:
        client = await pool.put(KEY, settings(server, username="op", password="wrong"))
        pool.report(KEY, FOUND)
        with pytest.raises(MLError):
            await client.get_model("a")
        assert not pool.available(KEY)
        assert recorder.failures == [KEY]


async def test_an_unclear_answer_does_not_close_the_connection(pool: Pool, recorder: Recorder) -> None:
    async with FakeMLCommons() as server:
        client = await pool.put(KEY, settings(server))
        pool.report(KEY, FOUND)
        server.fail("get-model", status=503)
        with pytest.raises(MLError):
            await client.get_model("a")
        assert pool.available(KEY)
        assert recorder.failures == []


async def test_a_health_check_that_fails_is_left_to_who_sent_it(pool: Pool, recorder: Recorder) -> None:
    client = await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",)))
    pool.report(KEY, FOUND)
    with pytest.raises(MLError):
        await client.server_info()
    assert recorder.failures == []


async def test_the_failure_of_a_replaced_client_does_not_close_the_new_one(
    pool: Pool, recorder: Recorder
) -> None:
    async with FakeMLCommons(users={"op": "right"}) as server:
        old = await pool.put(KEY, settings(server, username="op", password="wrong"))
        hold = server.hold("get-model")
        call = asyncio.create_task(old.get_model("a"))
        await hold.arrived.wait()
        await pool.put(KEY, settings(server, username="op", password="right"))
        pool.report(KEY, FOUND)
        hold.release()
        with pytest.raises(MLError):
            await call
        assert pool.available(KEY)
        assert recorder.failures == []


async def test_a_dropped_connection_is_forgotten(pool: Pool) -> None:
    async with FakeMLCommons() as server:
        client = await pool.put(KEY, settings(server))
        await pool.drop(KEY)
        assert pool.client(KEY) is None
        with pytest.raises(MLError):
            await client.get_model("a")


async def test_requests_are_reported_with_their_connection(pool: Pool, recorder: Recorder) -> None:
    async with FakeMLCommons() as server:
        await (await pool.put(KEY, settings(server))).get_model("a")
    assert recorder.requests == [(KEY, "get-model", "404")]


async def test_gates_are_one_per_connection_and_purpose(pool: Pool) -> None:
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_registers=1, max_deploys=2))
    registers = pool.gate(KEY, "register")
    assert registers is pool.gate(KEY, "register")
    assert [registers.try_enter(owner, owner.name) for owner in (A, B)] == [True, False]
    assert [pool.gate(KEY, "deploy").try_enter(owner, owner.name) for owner in (A, B)] == [True, True]
    assert pool.gate(OTHER, "register").try_enter(B, "b")


@pytest.mark.parametrize(
    ("most", "takes", "limit"),
    [
        (4, None, 4),  # nobody may know
        (8, None, 4),
        (8, 10, 4),  # a node with default settings
        (8, 20, 8),  # two of them
        (2, 20, 2),  # the spec has the last word
        (8, 5, 2),
        (4, 1, 1),
        (4, 0, 1),
    ],
)
async def test_registers_begin_with_what_the_cluster_says_that_it_takes(
    pool: Pool, most: int, takes: int | None, limit: int
) -> None:
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_registers=most))
    before = pool.gate(KEY, "register")
    pool.report(KEY, replace(FOUND, tasks_at_once={} if takes is None else {"register": takes}))
    assert before.limit == limit
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:8",), max_registers=most))
    assert before.limit == limit, "the cluster behind new settings is the same one"


async def test_no_gate_grows_beyond_what_the_cluster_takes(pool: Pool) -> None:
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_deploys=8))
    pool.report(KEY, replace(FOUND, tasks_at_once={"deploy": 3}))
    gate = pool.gate(KEY, "deploy")
    for _ in range(1000):
        gate.good()
    assert gate.limit == 3


async def test_what_was_learned_stays_as_long_as_the_cluster_says_the_same(pool: Pool) -> None:
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",)))
    found = replace(FOUND, tasks_at_once={"deploy": 10})
    pool.report(KEY, found)
    gate = pool.gate(KEY, "deploy")
    gate.trouble()
    pool.report(KEY, None)
    pool.report(KEY, found)
    assert gate.limit == 2


async def test_groups_do_not_wait_for_registers(pool: Pool) -> None:
    await pool.put(
        KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_registers=1, max_in_flight=2)
    )
    assert pool.gate(KEY, "register").try_enter(A, "a")
    names = pool.gate(KEY, "group")
    assert [names.try_enter(owner, owner.name) for owner in (A, B)] == [True, True]


async def test_settings_are_changed_by_one_at_a_time(pool: Pool) -> None:
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",)))
    gate = pool.gate(KEY, "settings")

    assert [gate.try_enter(owner, owner.name) for owner in (A, B)] == [True, False]


@pytest.mark.parametrize(
    ("how", "limit"),
    [
        ({"status": 429}, 2),
        ({"status": 503}, 2),
        ({"cut": True}, 2),
        ({"status": 400}, 4),
        ({"status": 404}, 4),
    ],
    ids=str,
)
async def test_an_overloaded_server_gets_fewer_at_a_time(pool: Pool, how: dict[str, Any], limit: int) -> None:
    async with FakeMLCommons() as server:
        client = await pool.put(KEY, settings(server))
        registers, deploys = pool.gate(KEY, "register"), pool.gate(KEY, "deploy")
        server.fail("deploy-model", **how)
        with pytest.raises(MLError):
            await client.deploy_model("a")
    assert (registers.limit, deploys.limit) == (4, limit)


async def test_gates_outlive_the_client_and_follow_its_limits(pool: Pool, recorder: Recorder) -> None:
    narrow = ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_deploys=1)
    await pool.put(KEY, narrow)
    gate = pool.gate(KEY, "deploy")
    gate.try_enter(A, "a")
    assert not gate.try_enter(B, "b")
    await pool.put(KEY, ConnectionSettings(endpoints=("http://127.0.0.1:9",), max_deploys=2))
    assert pool.gate(KEY, "deploy") is gate
    assert recorder.woken == [B]
    assert gate.try_enter(B, "b")
