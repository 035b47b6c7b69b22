"""The model server's HTTP side."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from stack.modelserver.control import Control, Fault, Keys, RecordedRequest
from stack.modelserver.models import BadRequestError, Embedder, chat, embeddings, error

RECORDED = TypeAdapter(list[RecordedRequest])

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def make_app(embed: Embedder, clock: Callable[[], float] = time.time) -> web.Application:
    """Return the application: the models and the control interface, with state of its own."""
    control = Control()
    models: dict[str, Answer] = {
        "/v1/embeddings": lambda body: embeddings(body, embed),
        "/v1/chat/completions": chat,
    }

    async def provide(request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = _parsed(text)
        control.record(
            time=clock(), method=request.method, path=request.path, headers=dict(request.headers), body=body
        )
        fault = control.take_fault(request.path)
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.cut or fault.status is not None:
                return _faulty(request, fault)
        if not control.accepts(request.headers.get("Authorization")):
            return _refuse(HTTPStatus.UNAUTHORIZED, "Incorrect API key provided.", "invalid_api_key")
        answer = models.get(request.path)
        if answer is None or request.method != "POST":
            return _refuse(
                HTTPStatus.NOT_FOUND, f"Unknown request URL: {request.method} {request.path}", None
            )
        if not isinstance(body, dict):
            return _refuse(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.", None)
        try:
            return web.json_response(answer(body))
        except BadRequestError as problem:
            return _refuse(HTTPStatus.BAD_REQUEST, str(problem), None)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(_control_routes(control))
    app.router.add_route("*", "/{path:.*}", provide)
    return app


def _control_routes(control: Control) -> list[web.RouteDef]:
    async def requests(request: web.Request) -> web.Response:
        since = int(request.query.get("since", "0"))
        chosen = [each for each in control.requests if each.number > since]
        return web.Response(body=RECORDED.dump_json(chosen), content_type="application/json")

    async def forget(_: web.Request) -> web.Response:
        control.requests.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def set_fault(request: web.Request) -> web.Response:
        try:
            control.set_fault(Fault.model_validate_json(await request.read()))
        except ValidationError as problem:
            return _refuse(HTTPStatus.BAD_REQUEST, str(problem), None)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def clear_faults(_: web.Request) -> web.Response:
        control.clear_faults()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def set_keys(request: web.Request) -> web.Response:
        try:
            control.keys = Keys.model_validate_json(await request.read())
        except ValidationError as problem:
            return _refuse(HTTPStatus.BAD_REQUEST, str(problem), None)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return [
        web.get("/_control/requests", requests),
        web.delete("/_control/requests", forget),
        web.put("/_control/faults", set_fault),
        web.delete("/_control/faults", clear_faults),
        web.put("/_control/keys", set_keys),
    ]


def _faulty(request: web.Request, fault: Fault) -> web.Response:
    if fault.cut and request.transport is not None:
        request.transport.abort()  # the client sees a reset connection; what is returned goes nowhere
    status = fault.status if fault.status is not None else HTTPStatus.BAD_GATEWAY
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    body = fault.body if fault.body is not None else error("The server had an error.", "server_error")
    return web.json_response(body, status=status, headers=headers)


def _refuse(status: HTTPStatus, message: str, code: str | None) -> web.Response:
    return web.json_response(error(message, "invalid_request_error", code), status=status)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text or None
