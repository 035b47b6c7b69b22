"""One operation of a provider on 127.0.0.1: it answers who calls it as documented, and refuses all others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import ValidationError

from support.providers.catalog import Operation, Request
from support.providers.received import Received


@dataclass(slots=True)
class Stub:
    """What it expects, and what came: good requests with their answers, and why the others were refused."""

    operation: Operation
    secret: Mapping[str, str]
    accepted: list[Received] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, request: Received) -> tuple[HTTPStatus, Any]:
        """Judge a request, remember it, and return status and body of the answer."""
        judged = self._judge(request)
        if isinstance(judged, str):
            self.refusals.append(judged)
            return HTTPStatus.BAD_REQUEST, {"error": {"message": judged}}
        answer = judged.answer()
        self.accepted.append(request)
        self.answers.append(answer)
        return HTTPStatus.OK, answer

    def _judge(self, request: Received) -> Request | str:
        wanted = f"POST {self.operation.path}"
        came = f"{request.method} {request.target}"
        if came != wanted:
            return f"called was {came}, not {wanted}"
        if not request.headers.get("content-type", "").startswith(self.operation.content_type):
            return f"the content type is {request.headers.get('content-type')}"
        for name, value in self.operation.headers.items():
            if request.headers.get(name) != value:
                return f"{name} is {request.headers.get(name)}"
        complaint = self.operation.credential(request, self.secret)
        if complaint is not None:
            return complaint
        try:
            parsed: Any = self.operation.shape.model_validate_json(request.body)
        except ValidationError as problem:
            return f"{problem}: {request.body.decode(errors='replace')}"
        known: Request = parsed
        return known


@contextmanager
def serve(operation: Operation, secret: Mapping[str, str]) -> Iterator[Stub]:
    """Serve an operation to those who hold what is in the Secret, until the context ends."""
    stub = Stub(operation, secret)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = stub.take(Received(self.command, self.path, headers, body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
            """Say nothing on stderr: the stub remembers."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
