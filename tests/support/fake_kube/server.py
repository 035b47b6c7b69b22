"""The HTTP side: discovery, the verbs, and the faults in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from .calls import RESOURCES, Call, groups, parse_call
from .faults import Fault, Faults
from .pages import Pages
from .refusals import RefusedError, not_found
from .store import Store
from .watches import Watches

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}


class Server:
    """Answers requests from the store. `tokens` are the accepted bearer tokens; None lets everybody in."""

    def __init__(self, store: Store, watches: Watches) -> None:
        self.pages = Pages(store)
        self.faults = Faults()
        self.calls: list[Call] = []
        self.tokens: Collection[str] | None = None
        self.issued: list[str] = []
        self.logs: dict[str, str] = {}
        self.longest_life: int | None = None
        self.before: Callable[[Call], Awaitable[None]] | None = None
        self.after: Callable[[Call], Awaitable[None]] | None = None
        self.away = False
        self._store = store
        self._watches = watches

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if self.away:
            return _cut(request)
        if self.tokens is not None:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or token not in self.tokens:
                return _refuse(RefusedError(401, "Unauthorized", "Unauthorized"))
        if request.method == "GET" and (document := _discovery(request.path)) is not None:
            return web.json_response(document)
        call = parse_call(
            request.method, request.path, dict(request.query), request.headers.get("Accept", "")
        )
        if call is None:
            return web.Response(status=404, text="404 page not found\n")
        self.calls.append(call)
        return await self._answer(request, call, self.faults.take(call) or Fault())

    async def _answer(  # noqa: PLR0911 - one return an outcome
        self, request: web.Request, call: Call, fault: Fault
    ) -> web.StreamResponse:
        await asyncio.sleep(fault.delay)
        if fault.cut == "before" or self.away:
            return _cut(request)
        if fault.status is not None:
            return _injected(fault)
        try:
            if self.before is not None:
                await self.before(call)
            if call.counted.verb == "watch":
                return await self._watches.serve(request, call)
            if call.counted.subresource == "log":
                return web.Response(text=self.logs[call.name])
            document = self._act(call, await request.read(), request.headers)
            if self.after is not None:
                await self.after(call)
        except RefusedError as error:
            return _refuse(error)
        except ConnectionError:
            return _cut(request)
        if fault.cut == "after":
            return _cut(request)
        return web.json_response(document, status=201 if call.counted.verb == "create" else 200)

    def _act(self, call: Call, raw: bytes, headers: Any) -> dict[str, Any]:
        body = json.loads(raw) if raw else {}
        resource, subresource = call.resource, call.counted.subresource
        if (call.counted.verb, subresource) == ("create", "token"):
            return self._token(call, body)
        if subresource and (subresource != "status" or resource.status is None):
            raise not_found(resource.plural, f"{call.name}/{subresource}")
        match call.counted.verb:
            case "get":
                return self._store.get(resource, call.namespace, call.name)
            case "list":
                return self.pages.page(call)
            case "create":
                if call.namespace:
                    self._store.get(RESOURCES["namespaces"], "", call.namespace)
                return self._store.create(resource, call.namespace, body)
            case "patch":
                kind = headers["Content-Type"].partition(";")[0]
                return self._store.patch(resource, call.namespace, call.name, subresource, kind, body)
            case "delete":
                return self._store.delete(resource, call.namespace, call.name, body)
            case verb:
                raise RefusedError(405, "MethodNotAllowed", f"the fake does not know {verb}")

    def _token(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a TokenRequest; the token is made of what was asked for."""
        self._store.get(call.resource, call.namespace, call.name)
        spec = dict(body["spec"])
        if self.longest_life is not None:
            spec["expirationSeconds"] = min(spec["expirationSeconds"], self.longest_life)
        (audience,) = spec["audiences"]
        self.issued.append(f"Token.{call.name}.{audience}.{len(self.issued) + 1}-of-the-fake")
        return {**body, "spec": spec, "status": {"token": self.issued[-1]}}


def _discovery(path: str) -> dict[str, Any] | None:
    known = groups(RESOURCES.values())
    match path.strip("/").split("/"):
        case ["version"]:
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "groups": [_group(*item) for item in known.items()]}
        case ["api", "v1"]:
            return _resource_list("", "v1")
        case ["apis", group, version] if known.get(group) == version:
            return _resource_list(group, version)
    return None


def _group(name: str, version: str) -> dict[str, Any]:
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _resource_list(group: str, version: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for resource in RESOURCES.values():
        if (resource.group, resource.version) != (group, version):
            continue
        entry = {
            "kind": resource.kind,
            "namespaced": resource.namespaced,
            "singularName": resource.kind.lower(),
        }
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        entries.append({**entry, "name": resource.plural, "verbs": verbs})
        if resource.status is not None:
            entries.append({**entry, "name": f"{resource.plural}/status", "verbs": ["get", "patch"]})
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "groupVersion": name, "resources": entries}


def _injected(fault: Fault) -> web.Response:
    assert fault.status is not None
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if fault.body is not None:
        return web.Response(status=fault.status, body=fault.body, headers=headers)
    reason = _REASONS.get(fault.status, "InternalError")
    return _refuse(RefusedError(fault.status, reason, "injected fault"), headers)


def _refuse(error: RefusedError, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(error.body(), status=error.status, headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
