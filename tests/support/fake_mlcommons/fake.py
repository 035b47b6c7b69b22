"""The fake itself: a web server on loopback, its log, and the handles that tests use."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .cluster import Call, Cluster, DeployOutcome
from .documents import Doc
from .faults import Fault, Faults, Hold
from .ids import random_ids
from .refusals import (
    Refused,
    forbidden,
    forbidden_profile,
    refused,
    unauthorized,
    unknown_route,
    wrong_method,
)
from .routes import ML, Handler, Route, find
from .settings import PREFIX, default_settings

Before = Callable[[Call], Awaitable[None]]
After = Callable[[Call, int, Any], Awaitable[None]]

LOOPBACK = r"^https?://(127\.0\.0\.1|localhost)(:\d+)?(/.*)?$"


class FakeMLCommons:
    """`async with FakeMLCommons(version="3.6") as server:`; the client gets `server.url`.

    `users` (name to password) switches Security on, and with it both access controls; with `tls` they may
    also show a certificate that the context verifies, and that has their name. `settings` are further
    defaults, by their short names. `late` (seconds) is how long a search shows the state before an update
    (only before 3.3, where the real server was seen to take up to 1 s). `before` and `after` may be set to
    coroutine functions that see each call, and its answer; a ConnectionError from them cuts the connection.
    """

    def __init__(
        self,
        *,
        version: str = "3.6",
        seed: int = 1,
        users: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        new_id: Callable[[], str] | None = None,
        nodes: int = 1,
        trusted: tuple[str, ...] = (LOOPBACK,),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        random = Random(seed)  # noqa: S311 - ids that tests can repeat
        major, minor = (int(part) for part in version.split(".")[:2])
        defaults = default_settings(trusted)
        if users:
            switches = ("connector_access_control_enabled", "model_access_control_enabled")
            defaults |= {PREFIX + name: "true" for name in switches}
            defaults["plugins.security_config.ssl_dual_mode_enabled"] = "false"
        self.cluster = Cluster(
            release=(major, minor),
            number=version if version.count(".") > 1 else f"{version}.0",
            new_id=new_id or random_ids(random),
            clock=lambda: asyncio.get_running_loop().time(),
            defaults=defaults | {PREFIX + name: value for name, value in (settings or {}).items()},
            users=dict(users or {}),
            nodes=tuple(f"node{number}" for number in range(nodes)),
            deploy_seconds=0.02,
            register_seconds=0.0,
            task_lag=0.02,
            late=0.5 if (major, minor) < (3, 3) else 0.0,
        )
        self.requests: list[Call] = []
        self.before: Before | None = None
        self.after: After | None = None
        self.plugin_installed = True
        self.forbidden: set[str] = set()
        """Operations that the user's role lacks."""
        self.user_of_token: Callable[[str], str | None] = lambda _: None
        """Tells whose a bearer token is."""
        self.crashes: list[Exception] = []
        self._many = False
        self._tls = tls
        self._faults = Faults()
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self.port = 0
        """Where it listens; chosen at the first start unless it is set before."""

    def expect_many(self) -> None:
        """Be quick with thousands: no request is kept, and searches do not see what is changed by hand."""
        self._many = True
        self.cluster.index_words()

    # What tests look at and change

    @property
    def url(self) -> str:
        """The address of the running server."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connectors(self) -> dict[str, Doc]:
        """Connectors by id, with their credentials."""
        return self.cluster.connectors.docs

    @property
    def groups(self) -> dict[str, Doc]:
        """Model groups by id."""
        return self.cluster.groups.docs

    @property
    def models(self) -> dict[str, Doc]:
        """Models by id."""
        return self.cluster.models.docs

    @property
    def tasks(self) -> dict[str, Doc]:
        """Tasks by id."""
        return self.cluster.tasks.docs

    @property
    def deploy_outcomes(self) -> deque[DeployOutcome]:
        """How the next deploys end; `stuck` ones never do."""
        return self.cluster.deploy_outcomes

    def count(self, *operations: str) -> int:
        """Count the requests of these operations, or all."""
        return sum(not operations or call.operation in operations for call in self.requests)

    def fail(self, operation: str, **how: Any) -> None:
        """Spoil the next requests: `how` is what `Fault` takes, `status=503` if nothing is said."""
        self._faults.add(
            Fault(operation, **(how if {"status", "cut", "hang"} & how.keys() else how | {"status": 503}))
        )

    def hold(self, operation: str) -> Hold:
        """Keep the next request back, to be carried out when it is let go, whether or not anyone waits."""
        hold = Hold(operation)
        self._faults.add_hold(hold)
        return hold

    def heal(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def restart_nodes(self) -> None:
        """Lose what is in the nodes' memory; the documents still say DEPLOYED."""
        self.cluster.loaded.clear()
        self.cluster.stuck.clear()
        self.cluster.stuck_on_one.clear()

    def node_leaves(self) -> None:
        """Let a node go that keeps its memory, as one that is frozen."""
        self.cluster.away = dict(self.cluster.loaded)

    def node_returns(self) -> None:
        """Let it come back: OpenSearch deploys to it, and what it still holds it goes on with (3.6 seen)."""
        self.cluster.stale = {
            model: connector
            for model, connector in self.cluster.away.items()
            if self.cluster.loaded.get(model, connector) != connector
        }
        for model in self.cluster.loaded:
            self.cluster.models.merge(model, {"last_deployed_time": self.cluster.now() + 1})

    def node_joins_in_vain(self) -> None:
        """Let the last node join while it cannot read connectors: it lacks the models, and refuses them."""
        for model in self.cluster.loaded:
            self.cluster.stuck_on_one.add(model)
            joined = {
                "model_state": "PARTIALLY_DEPLOYED",
                "current_worker_node_count": len(self.cluster.nodes) - 1,
            }
            self.cluster.models.merge(model, joined)

    # The server

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._closing.clear()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be gone; the state stays."""
        self._closing.set()
        self._faults.clear()
        self.cluster.stop_timers()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if self.crashes and error is None:
            raise self.crashes[0]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        found = find(request.method, request.path, self.cluster.release)
        route, id_ = found if isinstance(found, tuple) else (None, "")
        call = Call(
            operation=route.operation if route else "unknown",
            method=request.method,
            path=request.path,
            id=id_,
            query=dict(request.query),
            opaque_id=request.headers.get("X-Opaque-Id"),
        )
        if not self._many:
            self.requests.append(call)
        raw = await request.read()  # before anything waits: the sender may go
        hold = self._faults.take_hold(call.operation)
        if hold is not None:
            await hold.wait()
        fault = self._faults.take(call.operation)
        if fault is not None and not fault.carried_out:
            return await self._spoil(fault, request, call)
        try:
            status, body = await self._carry_out(request, raw, call, route)
        except ConnectionError:
            return self._cut(request)
        except Exception as crash:
            self.crashes.append(crash)
            raise
        if hold is not None:
            hold.done.set()
        if fault is not None:
            return await self._spoil(fault, request, call)
        call.status = status
        if isinstance(body, str):
            headers = {"WWW-Authenticate": 'Basic realm="OpenSearch Security"'}
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status)

    async def _carry_out(
        self, request: web.Request, raw: bytes, call: Call, route: Route | None
    ) -> tuple[int, Any]:
        if self.before is not None:
            await self.before(call)
        status = 200
        body: Any
        try:
            call.user = self._authenticate(request)
            handler = self._allowed(call, route)
            call.body = _json(raw, request.content_type)
            body = await handler(self.cluster, call)
        except Refused as refusal:
            status, body = refusal.status, refusal.body
        if self.after is not None:
            await self.after(call, status, body)
        return status, body

    def _allowed(self, call: Call, route: Route | None) -> Handler:
        if not self.plugin_installed and call.path.startswith(ML):
            raise unknown_route(call.method, call.path)
        if route is None:
            allowed = find(call.method, call.path, self.cluster.release)
            if isinstance(allowed, list) and allowed:
                raise wrong_method(call.method, call.path, allowed)
            raise unknown_route(call.method, call.path)
        if call.operation in self.forbidden:
            refuse = forbidden_profile if call.operation == "profile-model" else forbidden
            raise refuse(route.permission, call.user)
        return route.handler

    def _authenticate(self, request: web.Request) -> str:
        if not self.cluster.users:
            return ""
        for user, password in self.cluster.users.items():
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            if request.headers.get("Authorization") == f"Basic {token}":
                return user
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = self.user_of_token(token) if scheme == "Bearer" else None
        shown = _common_name(request)
        if bearer is None and shown not in self.cluster.users:
            raise unauthorized()
        return bearer or shown

    async def _spoil(self, fault: Fault, request: web.Request, call: Call) -> web.StreamResponse:
        if fault.hang:
            await self._closing.wait()
        if fault.status is None:
            return self._cut(request)
        call.status = fault.status
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
        if fault.body is not None:
            return web.Response(status=fault.status, text=fault.body, headers=headers)
        return web.json_response(
            refused(fault.status, fault.reason).body, status=fault.status, headers=headers
        )

    def _cut(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _common_name(request: web.Request) -> str:
    """Return the name in the client's certificate, empty without one."""
    certificate = request.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if names else ""


def _json(raw: bytes, content_type: str) -> Doc | None:
    if not raw:
        return None
    if content_type != "application/json":
        raise Refused(406, {"error": f"Content-Type header [{content_type}] is not supported", "status": 406})
    try:
        body = json.loads(raw)
    except ValueError:
        raise refused(400, "Unexpected character or end of input", "json_parse_exception") from None
    return body if isinstance(body, dict) else None
