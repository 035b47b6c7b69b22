"""What each variant does to a call: whether the server sees it, and what its sender is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from support.eventually import eventually
from support.faults.history import History
from support.faults.plan import Fault, Variant
from support.faults.proxy import FaultProxy, Upstream
from support.faults.script import Script
from support.faults.wire import Request, Response, json_response, read_request, read_response

CALL = Request("POST", "/_plugins/_ml/connectors/_create", (("Content-Type", "application/json"),), b"{}")
LABEL = "opensearch: create-connector #1"
LATE = 0.2


class Rig:
    """A server that counts, a proxy before it, and who was killed."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.killed: list[int] = []
        self.script = Script(kill=self.killed.append)
        self.history = History(lambda: asyncio.get_running_loop().time())
        self.proxy: FaultProxy

    async def call(self, request: Request = CALL) -> Response:
        """Send a request through the proxy."""
        parts = urlsplit(self.proxy.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(request.encode("proxy"))
            return await read_response(reader)
        finally:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer as the server."""
        while (request := await read_request(reader)) is not None:
            self.seen.append(request)
            if request.watches:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
                await writer.drain()
                await reader.read()
            else:
                writer.write(json_response(201, {"connector_id": "id", "number": len(self.seen)}).encode())
        writer.close()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream("127.0.0.1", port)
    proxy = FaultProxy(
        "opensearch",
        upstream,
        scripts=made.script,
        history=made.history,
        zombie_seconds=LATE,
        late_seconds=LATE,
    )
    async with proxy:
        made.proxy = proxy
        yield made
    server.close()


async def test_without_a_fault_everything_goes_through(rig: Rig) -> None:
    response = await rig.call()
    assert (response.status, response.body) == (201, b'{"connector_id": "id", "number": 1}')
    assert rig.seen[0].body == CALL.body
    (entry,) = rig.history.sent
    assert (entry.label, entry.told, entry.applied) == (LABEL, 201, True)


@pytest.mark.parametrize("variant", [Variant.KILL_BEFORE, Variant.KILL_AFTER, Variant.RESET])
async def test_a_call_without_an_answer(rig: Rig, variant: Variant) -> None:
    rig.script.arm([Fault(LABEL, variant)])
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await rig.call()
    assert len(rig.seen) == (0 if variant is Variant.KILL_BEFORE else 1)
    assert rig.killed == ([0] if variant.kills else [])


async def test_a_zombie_arrives_after_the_death_of_its_sender(rig: Rig) -> None:
    rig.script.arm([Fault(LABEL, Variant.ZOMBIE)])
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await rig.call()
    assert (rig.killed, rig.script.zombies, rig.seen) == ([0], 1, [])
    await eventually(lambda: rig.script.zombies == 0)
    assert len(rig.seen) == 1


async def test_an_answer_is_cut_in_half(rig: Rig) -> None:
    rig.script.arm([Fault(LABEL, Variant.TRUNCATE)])
    with pytest.raises(asyncio.IncompleteReadError) as cut:
        await rig.call()
    assert cut.value.partial == b'{"connector_id": "'[: len(cut.value.partial)]
    assert len(cut.value.partial) == 17
    assert len(rig.seen) == 1


@pytest.mark.parametrize("variant", [each for each in Variant if each.name.startswith("APPLIED")])
async def test_an_error_after_success(rig: Rig, variant: Variant) -> None:
    rig.script.arm([Fault(LABEL, variant)])
    assert (await rig.call()).status == variant.status
    assert len(rig.seen) == 1


@pytest.mark.parametrize("variant", [each for each in Variant if each.name.startswith("REFUSED")])
async def test_an_error_without_effect(rig: Rig, variant: Variant) -> None:
    rig.script.arm([Fault(LABEL, variant)])
    response = await rig.call()
    assert response.status == variant.status
    later = dict(response.headers).get("Retry-After")
    assert later == ("2" if variant is Variant.REFUSED_429_LATER else None)
    assert rig.seen == []


async def test_a_duplicate_delivery_is_answered_once(rig: Rig) -> None:
    rig.script.arm([Fault(LABEL, Variant.TWICE)])
    assert b'"number": 2' in (await rig.call()).body
    assert [entry.copy for entry in rig.history.sent] == [False, True]


async def test_a_late_answer(rig: Rig) -> None:
    rig.script.arm([Fault(LABEL, Variant.LATE)])
    started = asyncio.get_running_loop().time()
    assert (await rig.call()).status == 201
    assert asyncio.get_running_loop().time() - started >= LATE


async def test_only_the_call_that_is_meant_is_spoiled_and_only_once(rig: Rig) -> None:
    rig.script.arm([Fault("opensearch: create-connector #2", Variant.REFUSED_500)])
    assert [(await rig.call()).status for _ in range(3)] == [201, 500, 201]


async def test_a_second_fault_counts_from_the_first(rig: Rig) -> None:
    rig.script.arm([Fault(LABEL, Variant.REFUSED_500), Fault(LABEL, Variant.REFUSED_503)])
    assert [(await rig.call()).status for _ in range(3)] == [500, 503, 201]


async def test_nothing_of_the_dead_is_forwarded(rig: Rig) -> None:
    rig.proxy.cut_off()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await rig.call()
    rig.proxy.revive()
    assert (await rig.call()).status == 201
    assert len(rig.seen) == 1


async def test_a_watch_is_streamed_and_ends_with_its_sender(rig: Rig) -> None:
    parts = urlsplit(rig.proxy.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(Request("GET", "/apis/x?watch=true", (), b"").encode("proxy"))
    assert b"Transfer-Encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(7) == b"2\r\nhi\r\n"
    rig.proxy.cut_off()
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
