"""HTTP/1.1 as bytes: whole requests and answers are read, and written as whole or as broken as wanted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

_HOP: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "host"})
_LIMIT: Final = 2**22

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received; `target` is path and query."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value; empty when it is not there."""
        return _header(self.headers, name)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def watches(self) -> bool:
        """Whether the answer is a stream without end."""
        query = self.target.partition("?")[2].split("&")
        return "watch=true" in query or "watch=1" in query

    def encode(self, host: str) -> bytes:
        """Return the bytes to send to that host."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {host}", *_lines(self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `length` is what it says of its length, when that is not the truth."""

    status: int
    headers: Headers
    body: bytes
    length: int | None = None

    def encode(self) -> bytes:
        """Return the bytes to send."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Unknown"
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} {phrase}", *_lines(self.headers), f"Content-Length: {length}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def json_response(status: int, document: Any, *headers: tuple[str, str]) -> Response:
    """Return an answer with a JSON body."""
    kind = ("Content-Type", "application/json")
    return Response(status, (kind, *headers), json.dumps(document).encode())


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read the next request of a connection; None when there is none any more."""
    try:
        first, headers = await _read_head(reader)
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, await _read_body(reader, headers))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_response_head(reader: asyncio.StreamReader) -> tuple[int, Headers]:
    """Read status and headers; raises ConnectionError or IncompleteReadError."""
    first, headers = await _read_head(reader)
    return int(first.split(" ", 2)[1]), headers


async def read_response(reader: asyncio.StreamReader) -> Response:
    """Read an answer to its end; raises ConnectionError or IncompleteReadError."""
    status, headers = await read_response_head(reader)
    body = await _read_body(reader, headers)
    return Response(status, tuple(pair for pair in headers if pair[0].lower() not in _HOP), body)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, tuple((name.strip(), value.strip()) for name, _, value in pairs)


async def _read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    if "chunked" in _header(headers, "transfer-encoding").lower():
        chunks = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            chunks.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return b"".join(chunks)
    length = int(_header(headers, "content-length") or 0)
    assert length <= _LIMIT
    return await reader.readexactly(length)


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name.lower()), "")


def _lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP]
