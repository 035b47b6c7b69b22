"""One bounded HTTP client to the API server; every failure becomes an error of `errors.py`.

Built on the REST layer of `kubernetes.aio` alone: its typed APIs import hundreds of model modules, which
would be a third of the operator's memory.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from .. import __version__
from ..constants import NAME
from ..errors import KubernetesUnavailableError, ObjectGoneError
from .answers import refusal
from .targets import Target

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
CONNECTIONS: Final = 32
PAGE: Final = 500
TIMEOUT: Final = 30.0
CONNECT_TIMEOUT: Final = 5.0

Observer = Callable[[str, Target, int, float], None]
"""Called after each request: HTTP method, target, status (0 = no answer), seconds."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One request as it leaves."""

    method: str
    target: Target
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    accept: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    seconds: float = TIMEOUT

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.target.describe(self.method)


class KubeClient:
    """Sends single requests and keeps nothing. Made by `login.connect`, closed with `aclose`.

    A write is sent once. A read may be sent twice: aiohttp repeats it when the connection breaks.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        # As kopf does: proxies and .netrc of the environment are not for the API server.
        configuration.client_session_kwargs = {"trust_env": False}
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._observer = observer
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._configuration.host)

    async def aclose(self) -> None:
        """Close the connections; requests in flight fail."""
        await self._rest.close()

    async def read(self, target: Target, *, accept: str = JSON) -> dict[str, Any] | None:
        """GET one object; None when the API server says that it does not exist."""
        try:
            return await self.request("GET", target, accept=accept)
        except ObjectGoneError:
            return None

    async def each(
        self, target: Target, *, accept: str = JSON, labels: str = ""
    ) -> AsyncGenerator[dict[str, Any]]:
        """GET a collection page by page, and yield what is in it, that with these labels.

        Raises the errors of `request`; KubernetesUnavailableError also when its pages have expired.
        """
        query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            page = await self.request("GET", target, accept=accept, query=query)
            for item in page["items"] or ():  # null when it is asked for metadata, and there is none (1.36)
                yield item
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def request(
        self,
        method: str,
        target: Target,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - the HTTP library ends the request; nothing is left behind
    ) -> dict[str, Any]:
        """Send one request and return the JSON object of the answer; `timeout` in seconds covers all of it.

        Raises ObjectGoneError (404), StatusConflictError (409), KubernetesForbiddenError (401, 403),
        KubernetesUnavailableError (no answer, 410, 429, 5xx), OperatorError (anything else: a bug of ours).
        After KubernetesUnavailableError it is unknown whether a write has happened.
        """
        call = _Call(method, target, body, content_type, accept, query or {}, timeout)
        return _parse(call.name, await self._answered(call))

    async def read_text(self, target: Target, *, query: Mapping[str, str] | None = None) -> str:
        """GET what is no JSON, such as a log. Raises the errors of `request`."""
        data = await self._answered(_Call("GET", target, accept="*/*", query=query or {}))
        return data.decode("utf-8", "replace")

    async def _answered(self, call: _Call) -> bytes:
        """Send one request and return what a 2xx answer holds."""
        started, status = self._clock(), 0
        try:
            status, headers, data = await self._send(call)
        finally:
            if self._observer is not None:
                self._observer(call.method, call.target, status, self._clock() - started)
        if not 200 <= status < 300:  # noqa: PLR2004 - the 2xx class
            raise refusal(call.name, status, headers, data)
        return data

    async def _send(self, call: _Call) -> tuple[int, Mapping[str, str], bytes]:
        url = self._configuration.host + call.target.path
        if call.query:
            url += f"?{urlencode(call.query)}"
        headers = {
            "Accept": call.accept,
            "Content-Type": call.content_type,
            "User-Agent": f"{NAME}/{__version__}",
        }
        limit = aiohttp.ClientTimeout(total=call.seconds, sock_connect=CONNECT_TIMEOUT)
        try:
            headers.update(await self._authorization())
            response = await self._rest.request(
                call.method, url, headers=headers, body=call.body, _request_timeout=limit
            )
            return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Only the type: the texts of the HTTP library hold addresses and parts of answers.
            raise KubernetesUnavailableError(
                f"{call.name}: no answer from the API server ({type(error).__name__})"
            ) from None

    async def _authorization(self) -> dict[str, str]:
        bearer = (await self._configuration.auth_settings()).get("BearerToken")
        token = bearer["value"] if bearer else None
        return {"Authorization": token} if token else {}


def _parse(call: str, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise KubernetesUnavailableError(f"{call}: the answer of the API server cannot be read")
    return document
