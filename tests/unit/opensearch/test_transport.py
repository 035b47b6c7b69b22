"""HTTP: what is sent, what is never sent twice, and how each kind of silence is told from the others."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.opaque import opaque_id
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Observed:
    """What the transport reports."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.unusable = 0

    def request(self, operation: Op, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((operation.value, outcome))

    def fail(self) -> None:
        self.unusable += 1


@asynccontextmanager
async def transport(
    *endpoints: str, observed: Observed | None = None, **settings: object
) -> AsyncIterator[Transport]:
    observed = observed or Observed()
    defaults: dict[str, object] = {"connect_timeout": 5.0, "read_timeout": 5.0}
    whole = ConnectionSettings(endpoints=endpoints, **{**defaults, **settings})  # type: ignore[arg-type]
    made = Transport(
        whole,
        login=login_of(whole, MemoryTokens(), MemoryAWS()),
        observer=observed.request,
        on_unusable=observed.fail,
        clock=time.monotonic,
    )
    try:
        yield made
    finally:
        await made.retire()


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Serve raw bytes; at the end no connection is left."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def closed_port() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def answering(raw: bytes, *, head: str = "", status: str = "200 OK") -> Handler:
    """Answer each request with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{head}\r\n".encode() + raw)
        await writer.drain()

    return handle


async def refused(sent: Transport, *, operation: Op = Op.CREATE_GROUP) -> MLError:
    with pytest.raises(MLError) as error:
        await sent.call(operation, "POST", "/_plugins/_ml/model_groups/_register", {"name": "g"})
    return error.value


async def test_an_answer_is_json() -> None:
    async with FakeMLCommons() as server, transport(server.url) as sent:
        answer = await sent.call(
            Op.CREATE_GROUP, "POST", "/_plugins/_ml/model_groups/_register", {"name": "gruppe ü"}
        )
        assert server.groups[answer["model_group_id"]]["name"] == "gruppe ü"


async def test_credentials_and_opaque_id_are_sent() -> None:
    async with (
        FakeMLCommons(users={"op": "pässword"}) as server,
        transport(server.url, username="op", password="pässword") as sent,
    ):
        with opaque_id("model ns/a"):
            await sent.call(Op.GET_INFO, "GET", "/")
        await sent.call(Op.GET_INFO, "GET", "/")
        assert [call.opaque_id for call in server.requests] == ["model ns/a", None]


async def test_headers_ask_for_plain_json() -> None:
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with listening(handle) as url, transport(url + "/prefix/") as sent:
        await sent.call(Op.GET_INFO, "GET", "/x")
    head = heads[0].decode().lower()
    assert head.startswith("get /prefix/x http/1.1\r\n")
    assert "accept: application/json" in head
    assert "accept-encoding: identity" in head
    assert "user-agent: opensearch-ml-operator/" in head
    assert "authorization" not in head


async def test_the_next_endpoint_is_tried_when_there_is_no_connection() -> None:
    async with FakeMLCommons() as server, transport(closed_port(), closed_port(), server.url) as sent:
        await sent.call(Op.GET_INFO, "GET", "/")
        assert server.count() == 1


async def test_the_endpoint_that_worked_comes_first_the_next_time() -> None:
    first_hits = 0

    async def dying(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first_hits
        first_hits += 1
        writer.close()

    first = closed_port()
    async with FakeMLCommons() as server, transport(first, server.url) as sent:
        await sent.call(Op.GET_INFO, "GET", "/")
        port = int(first.rsplit(":", 1)[1])
        woken = await asyncio.start_server(dying, "127.0.0.1", port)
        await sent.call(Op.GET_INFO, "GET", "/")
        woken.close()
        assert (server.count(), first_hits) == (2, 0)


async def test_without_any_connection_nothing_was_sent() -> None:
    observed = Observed()
    first, second = closed_port(), closed_port()
    async with transport(first, second, observed=observed) as sent:
        error = await refused(sent)
    assert error.code is MLCode.NOT_SENT
    assert first in error.message
    assert second in error.message
    assert "refused" in error.message.lower() or "Connect call failed" in error.message
    assert observed.requests == [("create-group", "not-sent")]
    assert observed.unusable == 1


async def test_an_address_that_does_not_exist_is_not_sent() -> None:
    async with transport("http://no-such-host.invalid:9200") as sent:
        assert (await refused(sent)).code is MLCode.NOT_SENT


@pytest.mark.parametrize("endpoint", ["http://[", "ftp://127.0.0.1", "nonsense", "http://127.0.0.1:65536"])
async def test_an_endpoint_that_is_no_url_is_not_sent(endpoint: str) -> None:
    async with transport(endpoint) as sent:
        assert (await refused(sent)).code is MLCode.NOT_SENT


async def test_credentials_in_an_endpoint_stay_out_of_the_message() -> None:
    endpoint = closed_port().replace("http://", "http://user:hidden@")
    async with transport(endpoint) as sent:
        assert "hidden" not in (await refused(sent)).message


async def test_a_cut_connection_is_ambiguous_and_nothing_is_sent_again() -> None:
    async with FakeMLCommons() as server, FakeMLCommons() as other, transport(server.url, other.url) as sent:
        server.fail("create-group", cut=True, carried_out=True)
        assert (await refused(sent)).code is MLCode.AMBIGUOUS
        assert (server.count(), other.count()) == (1, 0)
        assert len(server.groups) == 1


async def test_a_slow_answer_is_ambiguous() -> None:
    observed = Observed()
    async with (
        FakeMLCommons() as server,
        transport(server.url, observed=observed, read_timeout=0.1) as sent,
    ):
        server.fail("create-group", hang=True)
        error = await refused(sent)
        assert (error.code, error.status) == (MLCode.AMBIGUOUS, None)
        assert "in time" in error.message
        assert server.count() == 1
    assert observed.requests == [("create-group", "ambiguous")]
    assert observed.unusable == 0


async def test_an_answer_that_trickles_in_for_ever_is_ambiguous() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    async with listening(handle) as url, transport(url, connect_timeout=0.1, read_timeout=0.1) as sent:
        assert (await refused(sent)).code is MLCode.AMBIGUOUS


async def test_a_server_that_takes_no_connection_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with transport(url, connect_timeout=0.2) as sent:
            error = await refused(sent)
        for client in clients:
            client.close()
    assert error.code is MLCode.NOT_SENT
    assert "in time" in error.message


async def test_an_answer_that_is_too_long_is_ambiguous() -> None:
    long = json.dumps({"x": "y" * 5 * 1024 * 1024}).encode()
    async with listening(answering(long)) as url, transport(url) as sent:
        error = await refused(sent)
        assert error.code is MLCode.AMBIGUOUS
        assert "4 MiB" in error.message
        answer = await sent.call(Op.SEARCH_MODELS, "POST", "/_plugins/_ml/models/_search", {})
        assert len(answer["x"]) == 5 * 1024 * 1024


async def test_a_compressed_answer_is_not_inflated() -> None:
    raw = gzip.compress(b'{"model_group_id":"x"}')
    async with listening(answering(raw, head="Content-Encoding: gzip\r\n")) as url, transport(url) as sent:
        assert (await refused(sent)).code is MLCode.AMBIGUOUS


async def test_an_answer_that_is_no_json_is_ambiguous() -> None:
    async with listening(answering(b"<html>welcome</html>")) as url, transport(url) as sent:
        error = await refused(sent)
        assert (error.code, "welcome" in error.message) == (MLCode.AMBIGUOUS, False)


async def test_a_redirect_is_not_followed() -> None:
    async with FakeMLCommons() as target:
        head = f"Location: {target.url}/\r\n"
        async with listening(answering(b"", head=head, status="302 Found")) as url, transport(url) as sent:
            error = await refused(sent)
        assert (error.code, error.status) == (MLCode.AMBIGUOUS, 302)
        assert target.count() == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", closed_port())
    monkeypatch.setenv("ALL_PROXY", closed_port())
    async with FakeMLCommons() as server, transport(server.url) as sent:
        await sent.call(Op.GET_INFO, "GET", "/")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
)
async def test_retry_after(header: str, seconds: float | None) -> None:
    handler = answering(b"{}", head=f"Retry-After: {header}\r\n", status="429 Too Many Requests")
    async with listening(handler) as url, transport(url) as sent:
        error = await refused(sent)
    assert (error.code, error.status, error.retry_after) == (MLCode.AMBIGUOUS, 429, seconds)


async def test_refused_credentials_make_the_connection_unusable() -> None:
    observed = Observed()
    async with (
        FakeMLCommons(users={"op": "right"}) as server,
        transport(server.url, observed=observed, username="op", password="wrong") as sent,
    ):
        error = await refused(sent)
        assert (error.code, error.status) == (MLCode.UNAUTHENTICATED, 401)
        assert observed.unusable == 1
        with pytest.raises(MLError):
            await sent.call(Op.GET_INFO, "GET", "/")
    assert observed.unusable == 1  # a health check reports for itself
    assert observed.requests == [("create-group", "401"), ("get-info", "401")]


@pytest.mark.parametrize("where", ["password", "token", "credential"])
async def test_what_the_server_echoes_of_secrets_is_masked(where: str) -> None:
    secret = {
        "password": "my-pass\\word",
        "token": base64.b64encode(b"op:my-pass\\word").decode(),
        "credential": 'a "quoted" key',
    }[where]
    words = f"cannot use {secret} or {json.dumps(secret)} here"
    body = json.dumps({"error": {"type": "x", "reason": words}}).encode()
    handler = answering(body, status="400 Bad Request")
    sensitive = {"credential": {"k": 'a "quoted" key', "n": 1}}
    async with listening(handler) as url, transport(url, username="op", password="my-pass\\word") as sent:
        with pytest.raises(MLError) as error:
            await sent.call(Op.CREATE_CONNECTOR, "POST", "/x", sensitive)
    assert error.value.message == 'cannot use *** or "***" here'


async def test_few_requests_are_in_flight_at_once() -> None:
    inside, most = 0, 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal inside, most
        await reader.readuntil(b"\r\n\r\n")
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    async with listening(handle) as url, transport(url, max_in_flight=3) as sent:
        await asyncio.gather(*(sent.call(Op.GET_INFO, "GET", "/") for _ in range(12)))
    assert most == 3


async def test_waiting_for_a_slot_is_not_counted_as_silence() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.15)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    async with listening(handle) as url, transport(url, max_in_flight=1, read_timeout=0.4) as sent:
        answers = await asyncio.gather(*(sent.call(Op.GET_INFO, "GET", "/") for _ in range(5)))
    assert answers == [{}] * 5


async def test_a_retired_transport_finishes_its_calls_and_then_takes_no_more() -> None:
    async with FakeMLCommons() as server, transport(server.url) as sent:
        hold = server.hold("get-info")
        call = asyncio.create_task(sent.call(Op.GET_INFO, "GET", "/"))
        await hold.arrived.wait()
        await sent.retire()
        hold.release()
        assert (await call)["cluster_name"] == "fake"
        error = await refused(sent)
        assert error.code is MLCode.NOT_SENT
        assert server.count() == 1


async def test_a_cancelled_call_is_reported_and_leaves_the_slot() -> None:
    observed = Observed()
    async with FakeMLCommons() as server, transport(server.url, observed=observed, max_in_flight=1) as sent:
        hold = server.hold("get-info")
        call = asyncio.create_task(sent.call(Op.GET_INFO, "GET", "/"))
        await hold.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        hold.release()
        await sent.call(Op.GET_INFO, "GET", "/")
    assert observed.requests == [("get-info", "cancelled"), ("get-info", "200")]
