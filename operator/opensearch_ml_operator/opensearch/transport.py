"""HTTP to one OpenSearch cluster: the only module that knows httpx.

Nothing is ever sent twice once it may have left. The next endpoint is tried only when no connection could be
made. Redirects are not followed, the environment's proxies and certificates are not used, answers are bounded
in size and time. Every failure is an MLError.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias

import httpx

from .. import __version__
from ..constants import NAME
from ..errors import MLCode, MLError
from ..reconcilers.aws import Outgoing
from ..reconcilers.ports import ConnectionSettings
from .errors import classify, shorten
from .login import Login
from .opaque import current_opaque_id
from .operations import HEALTH_CHECKS, LONG_ANSWERS, Operation
from .pace import Pace
from .schemas import unreadable
from .tls import UnusableTLSError, context_for, refused_certificate

Observer: TypeAlias = Callable[[Operation, str, float], None]
"""Called after each request: operation, HTTP status or the code of a missing answer, seconds."""

UNUSABLE: Final = frozenset({MLCode.NOT_SENT, MLCode.TLS_FAILED, MLCode.UNAUTHENTICATED})
"""After one of these every other call of the connection would fail too."""

_MIB: Final = 1024 * 1024
_MAX_ANSWER: Final = 4 * _MIB
_MAX_SEARCH_ANSWER: Final = 32 * _MIB
_SECRET_HEADERS: Final = frozenset({"authorization", "x-amz-security-token"})
_LAST_PORT: Final = 65535
_KEEP_ALIVE_SECONDS: Final = 30.0
"""Below the idle time-outs of load balancers (60 s and more): they cut connections that look usable."""


class Transport:
    """Requests of one connection, at most `max_in_flight` at a time (httpx gets slow beyond 16).

    A CA or a client certificate that cannot be used makes every call fail: the caller has one place for it.
    `fence` is called when a request is about to leave, after all waiting; it does not leave when that raises.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        login: Login,
        observer: Observer,
        on_unusable: Callable[[], None],
        clock: Callable[[], float],
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoints = tuple(endpoint.rstrip("/") for endpoint in settings.endpoints)
        self._preferred = 0
        self._observer = observer
        self._on_unusable = on_unusable
        self._clock = clock
        self._login = login
        self._secrets = tuple(_spellings(settings.password)) if settings.password is not None else ()
        self._fence = fence
        self._extensions: dict[str, Any] = {"trace": self._about_to}
        if settings.server_name:
            self._extensions["sni_hostname"] = settings.server_name
        # Connecting has two steps, TCP and TLS, each with its own limit: past the sum the request has left.
        self._deadline = 2 * (settings.connect_timeout + settings.read_timeout)
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        rate = settings.requests_per_second
        self._pace = Pace(rate, settings.burst or rate, clock) if rate is not None else None
        self._calls = 0
        self._retired = False
        self._successor: Transport | None = None
        self._refusal: MLError | None = None
        self.certificate_expiry: float | None = None
        """Until when the certificate is good that the last health check saw and verified, since 1970."""
        try:
            tls = context_for(settings, partial(httpx.create_ssl_context, trust_env=False))
        except UnusableTLSError as error:
            self._refusal = MLError(error.code, str(error))
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = _http_client(settings, tls)

    async def call(
        self, operation: Operation, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Send one request and return the JSON of its 2xx answer; raises MLError.

        Waits for its turn and a free slot first; from then on it takes at most twice the connect and read
        time-outs, and one connect time-out more for each endpoint that cannot be reached.
        """
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        if self._successor is not None:
            return await self._successor.call(operation, method, path, body)
        if self._retired and self._calls == 0:
            raise MLError(MLCode.NOT_SENT, "the connection's settings have changed, this client is closed")
        self._calls += 1
        try:
            if self._pace is not None and operation not in HEALTH_CHECKS:
                await self._pace.turn()
            async with self._slots:
                return await self._observed(operation, method, path, body)
        except MLError as error:
            if error.code is MLCode.UNAUTHENTICATED:
                self._login.refused()
            if error.code in UNUSABLE and operation not in HEALTH_CHECKS:
                self._on_unusable()
            raise
        finally:
            self._calls -= 1
            await self._close_when_done()

    async def retire(self, successor: Transport | None = None) -> None:
        """Close now, or when the calls in flight are done; no call may begin after that.

        With a successor to the same endpoints, calls that begin later go there: who is in the middle of
        several calls does not notice that the identity has changed.
        """
        self._retired = True
        self._successor = successor
        await self._close_when_done()

    async def _close_when_done(self) -> None:
        if self._retired and self._calls == 0:
            await self._client.aclose()

    async def _about_to(self, event: str, _: Mapping[str, Any]) -> None:
        """Hear of each step of a request (httpx's extension `trace`)."""
        if event == "http11.send_request_headers.started":
            self._fence()

    async def _observed(
        self, operation: Operation, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Any:
        started = self._clock()
        outcome = "cancelled"
        try:
            answer = await self._send_somewhere(operation, method, path, body)
        except MLError as error:
            outcome = str(error.status or error.code.value)
            raise
        else:
            outcome = "200"
            return answer
        finally:
            self._observer(operation, outcome, self._clock() - started)

    async def _send_somewhere(
        self, operation: Operation, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Any:
        """Try the endpoints in turn, beginning with the one that last took a connection."""
        failures: list[MLError] = []
        for offset in range(len(self._endpoints)):
            index = (self._preferred + offset) % len(self._endpoints)
            try:
                answer = await self._send(operation, method, self._endpoints[index] + path, body)
            except MLError as error:
                if error.code not in {MLCode.NOT_SENT, MLCode.TLS_FAILED}:
                    self._preferred = index
                    raise
                failures.append(error)
            else:
                self._preferred = index
                return answer
        raise _unreachable(failures)

    async def _send(self, operation: Operation, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else {}
        if (opaque := current_opaque_id()) is not None:
            headers["X-Opaque-Id"] = opaque
        login: Mapping[str, str] = {}
        try:
            request = self._client.build_request(
                method, url, content=content, headers=headers, extensions=self._extensions
            )
            login = await self._login.headers(_outgoing(request))
            request.headers.update(login)
            async with (
                asyncio.timeout(self._deadline),
                contextlib.aclosing(await self._client.send(request, stream=True)) as response,
            ):
                if operation in HEALTH_CHECKS:
                    self.certificate_expiry = _certificate_expiry(response)
                raw = await _read_bounded(
                    response, _MAX_SEARCH_ANSWER if operation in LONG_ANSWERS else _MAX_ANSWER, operation
                )
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, TimeoutError) as error:
            # httpx lets an alert that comes after the handshake through as it is.
            _raise_failure(error, operation, url)
        if not response.is_success:
            raise classify(
                operation,
                response.status_code,
                raw,
                retry_after=_retry_after(response.headers.get("Retry-After")),
                secrets=(*self._secrets, *_login_secrets(login), *_body_secrets(body)),
            )
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):  # brackets within brackets, thousands of them
            raise unreadable(operation, "not JSON") from None


def _http_client(settings: ConnectionSettings, tls: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"{NAME}/{__version__}",
        },
        verify=tls,
        http1=True,
        http2=False,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        limits=httpx.Limits(
            max_connections=settings.max_in_flight,
            max_keepalive_connections=settings.max_in_flight,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
        ),
    )


def _outgoing(request: httpx.Request) -> Outgoing:
    """Return what a signature covers, as httpx sends it: it encodes what is not encoded yet.

    Raises InvalidURL for a port that there is not, which would be an OverflowError of the socket's.
    """
    if (request.url.port or 0) > _LAST_PORT:
        raise httpx.InvalidURL("no such port")
    target = request.url.raw_path.decode("ascii")
    return Outgoing(request.method, request.headers.get("Host", ""), target, request.content)


async def _read_bounded(response: httpx.Response, limit: int, operation: Operation) -> bytes:
    """Read the body as it came: a compressed one, which was not asked for, is not inflated."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > limit:
            raise unreadable(operation, f"more than {limit // _MIB} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _certificate_expiry(response: httpx.Response) -> float | None:
    """Read the end of the certificate's validity; Python gives none that it was not told to verify."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    return ssl.cert_time_to_seconds(certificate["notAfter"]) if certificate else None


def _raise_failure(error: Exception, operation: Operation, url: str) -> NoReturn:
    """Translate what httpx raises; only a failure to connect proves that nothing was sent."""
    place = _origin(url)
    causes = tuple(_causes(error))
    if (refusal := refused_certificate(causes)) is not None:
        raise MLError(MLCode.UNAUTHENTICATED, f"{place} refuses the connection: {refusal}") from None
    if any(isinstance(cause, ssl.SSLError) for cause in causes) and isinstance(error, httpx.ConnectError):
        reason = next(c for c in causes if isinstance(c, ssl.SSLError))
        words = getattr(reason, "verify_message", "") or reason.reason or "handshake failed"
        raise MLError(MLCode.TLS_FAILED, f"{place}: TLS failed: {words}") from None
    match error:
        case httpx.ConnectTimeout():
            raise MLError(MLCode.NOT_SENT, f"{place}: no connection in time") from None
        case httpx.ConnectError():
            raise MLError(MLCode.NOT_SENT, f"{place}: {_os_words(causes)}") from None
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            raise MLError(MLCode.NOT_SENT, f"{place}: not a request that can be sent") from None
        case httpx.TimeoutException() | TimeoutError():
            raise MLError(MLCode.AMBIGUOUS, f"{operation} got no answer in time from {place}") from None
        case _:
            raise MLError(
                MLCode.AMBIGUOUS, f"{operation}: {place} cut the connection before its answer"
            ) from None


def _unreachable(failures: list[MLError]) -> MLError:
    """Sum up one failure for each endpoint."""
    all_tls = all(failure.code is MLCode.TLS_FAILED for failure in failures)
    return MLError(
        MLCode.TLS_FAILED if all_tls else MLCode.NOT_SENT,
        shorten("; ".join(failure.message for failure in failures)),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk to the root; of several addresses that were tried, the first one's failure."""
    current: BaseException | None = error
    while current is not None:
        yield current
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0]
        else:
            current = current.__cause__ or current.__context__


def _os_words(causes: tuple[BaseException, ...]) -> str:
    words = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return words[-1] if words else "no connection"


def _origin(url: str) -> str:
    """Return scheme, host and port; never the user part."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "endpoint"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}"


def _retry_after(header: str | None) -> float | None:
    """Read Retry-After in seconds; a date is rare and is ignored."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 24 * 3600 else None


def _login_secrets(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what makes the login: of `Authorization` all but the name of the scheme, and AWS's token."""
    for name, value in headers.items():
        if name.lower() in _SECRET_HEADERS:
            yield value.rpartition(" ")[2]


def _body_secrets(body: Mapping[str, Any] | None) -> Iterator[str]:
    credential = (body or {}).get("credential")
    if isinstance(credential, Mapping):
        for value in credential.values():
            yield from _spellings(str(value))


def _spellings(secret: str) -> Iterator[str]:
    """Yield the secret as it is, and as it looks inside of JSON text that the server quotes."""
    yield secret
    if (quoted := json.dumps(secret)[1:-1]) != secret:
        yield quoted
