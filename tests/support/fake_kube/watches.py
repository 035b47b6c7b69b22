"""Watch streams: replay from a version, then what happens, with bookmarks in the pauses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import web

from .calls import Call
from .refusals import RefusedError
from .store import Store

_ENDLESS = 3_600.0


class Watches:
    """All open streams; a bookmark is sent after `bookmark_seconds` without a change (reality: a minute)."""

    def __init__(self, store: Store, bookmark_seconds: float) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._open: set[asyncio.Transport] = set()

    async def serve(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer a watch until its time is up, the client leaves or the stream is cut."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        self._open.add(transport)
        try:
            with contextlib.suppress(ConnectionError):
                await self._stream(response, call)
        finally:
            self._open.discard(transport)
        return response

    def cut(self) -> None:
        """Drop the connections of all streams."""
        for transport in tuple(self._open):
            transport.abort()

    async def _stream(self, response: web.StreamResponse, call: Call) -> None:
        since = int(call.query.get("resourceVersion") or 0)
        if since == 0:
            since = self._store.version
            for body in self._store.list(call.resource, call.namespace):
                await _write(response, "ADDED", body)
        try:
            follower = self._store.follow(call.resource, call.namespace, since)
        except RefusedError as error:
            await _write(response, "ERROR", error.body())
            return
        clock = asyncio.get_running_loop().time
        end = clock() + float(call.query.get("timeoutSeconds") or _ENDLESS)
        try:
            while (left := end - clock()) > 0:
                change = await follower.next(min(left, self._bookmark_seconds))
                if change is not None:
                    await _write(response, change.type, change.body)
                elif "allowWatchBookmarks" in call.query:
                    await _write(response, "BOOKMARK", self._bookmark(call))
        finally:
            follower.close()

    def _bookmark(self, call: Call) -> dict[str, Any]:
        return {
            "kind": call.resource.kind,
            "apiVersion": call.resource.api_version,
            "metadata": {"resourceVersion": str(self._store.version), "creationTimestamp": None},
        }


async def _write(response: web.StreamResponse, kind: str, body: dict[str, Any]) -> None:
    await response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")
