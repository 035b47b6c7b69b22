"""Stands between the operator and a server, names the effectful calls, and does to them what the plan says.

A request that was received whole is carried out or not, as the plan says; whether its sender still waits
makes no difference. Everything goes through byte by byte, watches as a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from .history import Entry, History, Server
from .naming import kube_name, opensearch_name
from .plan import APPLIED, REFUSED, Fault, Variant
from .script import Script, Scripts
from .wire import Request, Response, json_response, read_request, read_response, read_response_head

ZOMBIE_SECONDS: Final = 20.0
"""How long the network keeps a request that outlives its sender: less than the quiet period."""
LATE_SECONDS: Final = 45.0
"""How long an answer is held back: longer than any client waits."""
_IDLE_SECONDS: Final = 15.0
_CHUNK: Final = 2**16
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Upstream:
    """The true server."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=2**24)


class FaultProxy:
    """One operator's way (`sender`) to one server. `async with` starts it."""

    def __init__(
        self,
        server: Server,
        upstream: Upstream,
        *,
        scripts: Scripts,
        history: History,
        sender: int = 0,
        zombie_seconds: float = ZOMBIE_SECONDS,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._server: Server = server
        self._upstream = upstream
        self._scripts = scripts
        self._history = history
        self._sender = sender
        self._zombie_seconds = zombie_seconds
        self._late_seconds = late_seconds
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._dead = False

    @property
    def url(self) -> str:
        """Where the operator finds the server."""
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    def cut_off(self) -> None:
        """Take the sender for dead: nothing of it is forwarded any more, nothing reaches it."""
        self._dead = True
        for writer in tuple(self._connections):
            _reset(writer)

    def revive(self) -> None:
        """Take the sender for alive again."""
        self._dead = False

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut_off()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections.add(writer)
        link = _Link(self._upstream)
        try:
            while not self._dead and (request := await read_request(reader)) is not None and not self._dead:
                if request.watches:
                    await self._stream(request, writer)
                    break
                if not await self._answer(request, writer, link):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._connections.discard(writer)
            self._tasks.discard(task)
            link.close()
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter, link: _Link) -> bool:
        """Answer a request; return whether the connection goes on."""
        name = kube_name(request) if self._server == "kube" else opensearch_name(request)
        script = self._scripts.of(request)
        label = script.label(f"{self._server}: {name}") if name else ""
        entry = Entry(self._server, self._sender, label, request, self._history.clock(), team=script.team)
        self._history.begin(entry)
        fault = script.take(label) if label else None
        if fault is not None:
            entry.fate = fault.variant.value
            return await self._spoil(fault, script, entry, writer, link)
        response = await self._forward(entry, link)
        return await self._tell(entry, response, writer)

    async def _spoil(  # noqa: PLR0911 - one return a variant
        self, fault: Fault, script: Script, entry: Entry, writer: asyncio.StreamWriter, link: _Link
    ) -> bool:
        match fault.variant:
            case Variant.KILL_BEFORE:
                script.kill(fault.victim)
                return False
            case Variant.KILL_AFTER:
                await self._forward(entry, link)
                script.kill(fault.victim)
                return False
            case Variant.ZOMBIE:
                script.zombies += 1
                script.kill(fault.victim)
                self._later(self._deliver_late(entry, script))
                return False
            case Variant.RESET:
                await self._forward(entry, link)
                _reset(writer)
                return False
            case Variant.TRUNCATE:
                response = await self._forward(entry, link)
                half = response.body[: len(response.body) // 2]
                broken = Response(response.status, response.headers, half, len(response.body))
                await self._tell(entry, broken, writer)
                return False
            case Variant.TWICE:
                await self._forward(entry, link)
                again = replace(entry, label="", response=None, told=None, copy=True)
                return await self._tell(again, await self._forward(self._history.begin(again), link), writer)
            case Variant.LATE:
                response = await self._forward(entry, link)
                await asyncio.sleep(self._late_seconds)
                return await self._tell(entry, response, writer)
            case variant if variant in APPLIED:
                await self._forward(entry, link)
                return await self._tell(entry, _refusal(self._server, variant), writer)
            case variant:
                assert variant in REFUSED
                return await self._tell(entry, _refusal(self._server, variant), writer)

    async def _forward(self, entry: Entry, link: _Link) -> Response:
        response = await link.call(entry.request)
        self._scripts.learn(entry.request, response)
        self._history.answer(entry, response)
        return response

    async def _tell(self, entry: Entry, response: Response, writer: asyncio.StreamWriter) -> bool:
        if self._dead:
            return False
        writer.write(response.encode())
        await writer.drain()
        entry.told = response.status
        return response.length is None

    async def _deliver_late(self, entry: Entry, script: Script) -> None:
        try:
            await asyncio.sleep(self._zombie_seconds)
            link = _Link(self._upstream)
            await self._forward(entry, link)
            link.close()
        finally:
            script.zombies -= 1

    def _later(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload] # a coroutine of ours
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> None:
        entry = self._history.begin(Entry(self._server, self._sender, "", request, self._history.clock()))
        reader, upstream = await self._upstream.connect()
        try:
            upstream.write(request.encode(f"{self._upstream.host}:{self._upstream.port}"))
            status, headers = await read_response_head(reader)
            entry.told = status
            lines = [f"HTTP/1.1 {status} Streaming", *(f"{name}: {value}" for name, value in headers)]
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
            while chunk := await reader.read(_CHUNK):
                if self._dead or writer.is_closing():
                    return
                writer.write(chunk)
                await writer.drain()
        finally:
            upstream.close()


class _Link:
    """A connection to the server that is used again while it is young."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def call(self, request: Request) -> Response:
        """Send a request and read the answer."""
        clock = asyncio.get_running_loop().time
        if self._streams is None or self._streams[0].at_eof() or clock() - self._used_at > _IDLE_SECONDS:
            self.close()
            self._streams = await self._upstream.connect()
        reader, writer = self._streams
        writer.write(request.encode(f"{self._upstream.host}:{self._upstream.port}"))
        response = await read_response(reader)
        self._used_at = clock()
        return response

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cut a connection such that the other side gets a reset."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _refusal(server: Server, variant: Variant) -> Response:
    """Return the answer of a server, or of what stands before it, that says no."""
    status = variant.status
    headers = (("Retry-After", "2"),) if variant is Variant.REFUSED_429_LATER else ()
    if status in {502, 504}:
        return Response(status, (("Content-Type", "text/html"),), b"<html><body>Bad gateway</body></html>")
    if server == "kube":
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "made by the plan"}
        return json_response(status, {**body, "reason": _REASONS.get(status, ""), "code": status}, *headers)
    if status == 401:
        return Response(status, (("Content-Type", "text/plain"),), b"Unauthorized")
    cause = {"type": _TYPES[status], "reason": "made by the plan"}
    return json_response(status, {"error": {"root_cause": [cause], **cause}, "status": status}, *headers)


_REASONS: Final = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
_TYPES: Final = {
    403: "security_exception",
    404: "status_exception",
    409: "version_conflict_engine_exception",
    429: "circuit_breaking_exception",
    500: "status_exception",
    503: "cluster_block_exception",
}
