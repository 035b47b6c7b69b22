"""What stands before a domain: lets the requests through that are signed, and answers 403 to all others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.fake_aws.accounts import Accounts, RefusedError
from support.fake_aws.web import Reply, serve
from support.providers.received import Received

_PASSED_ON = {"accept", "content-type", "x-opaque-id"}


@dataclass(slots=True)
class Gateway:
    """One address of a domain; `passed` and `refused` are what came, the latter with the words for it."""

    upstream: str
    accounts: Accounts
    region: str
    service: str = "es"
    url: str = ""
    allowed: set[str] | None = None
    """Who may do anything by the access policy; None for everybody with good keys."""
    passed: list[tuple[str, Received]] = field(default_factory=list)
    refused: list[tuple[str, Received]] = field(default_factory=list)

    def answer(self, request: Received) -> Reply:
        """Answer as the cluster does, or refuse."""
        try:
            who = self._who(request)
        except RefusedError as refusal:
            self.refused.append((str(refusal), request))
            return Reply(403, json.dumps({"message": str(refusal)}).encode())
        if self.allowed is not None and who not in self.allowed:
            words = (
                f"User: {who} is not authorized to perform: {self.service}:ESHttp{request.method.title()} "
                "because no identity-based policy allows it"
            )
            self.refused.append((words, request))
            return Reply(403, json.dumps({"Message": words}).encode())
        self.passed.append((who, request))
        return self._pass_on(request)

    def _who(self, request: Received) -> str:
        if request.headers.get("host") != self.url.removeprefix("http://"):
            raise RefusedError(f"no such domain: {request.headers.get('host')}")
        return self.accounts.signer(request, region=self.region, service=self.service).arn

    def _pass_on(self, request: Received) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name in _PASSED_ON}
        response = httpx.request(
            request.method,
            self.upstream + request.target,
            content=request.body,
            headers=headers,
            timeout=60,
            trust_env=False,
        )
        return Reply(response.status_code, response.content, response.headers.get("content-type", ""))


@contextmanager
def gateway(upstream: str, accounts: Accounts, region: str, **how: Any) -> Iterator[Gateway]:
    """Serve until the context ends."""
    made = Gateway(upstream, accounts, region, **how)
    with serve(made.answer) as url:
        made.url = url
        yield made
