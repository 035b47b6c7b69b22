"""From an answer that is not 2xx to the MLError that says what it means for the caller.

Where no row of the table fits, a 4xx with a proper error body is a refusal; everything else says nothing
about what was done, and is AMBIGUOUS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..errors import MLCode, MLError
from .error_table import EMPTY, TABLE, Row
from .operations import Operation
from .schemas import ErrorBody, parse_error, parse_gateway

_MAX_MESSAGE: Final = 300
_MAX_QUOTE: Final = 3000
"""Of a provider's answer, which may repeat the key: who knows that key masks it, and then shortens."""
_IDS: Final = re.compile(r"\[([^\[\]]*)\]\s*$")
_NO_VERDICT: Final = frozenset({404, 408, 425, 429})
"""4xx that say nothing about the request: a 404 that no row knows, and what proxies and full queues answer.

A 429 to register or deploy is known to be carried out all the same (2.19, 3.6 seen)."""


def classify(
    operation: Operation,
    status: int,
    body: bytes,
    *,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
) -> MLError:
    """Return the error that an answer other than 2xx stands for, with `secrets` masked in its message."""
    parsed = parse_error(body) or (parse_gateway(body) if status == 403 else None)  # noqa: PLR2004
    longest = _MAX_QUOTE if operation is Operation.PREDICT else _MAX_MESSAGE
    words = shorten(mask(parsed.reason if parsed else "", secrets), longest)
    seen = parsed or ErrorBody(reason=EMPTY if body.strip() == EMPTY.encode() else "")
    row = next((row for row in TABLE if row.fits(operation, status, seen)), None)
    if row is not None:
        return MLError(
            row.code,
            words or _plain(operation, status),
            status=status,
            retry_after=retry_after if retry_after is not None else row.retry_after,
            ids=_ids(row, parsed.reason) if parsed else (),
        )
    return MLError(
        _by_status(status, parsed=parsed is not None),
        words or _plain(operation, status),
        status=status,
        retry_after=retry_after,
    )


def mask(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret in `text`; one of fewer than four characters hides nothing and is left alone."""
    for secret in sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True):  # noqa: PLR2004 - see above
        text = text.replace(secret, "***")
    return text


def shorten(text: str, longest: int = _MAX_MESSAGE) -> str:
    """Return one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _by_status(status: int, *, parsed: bool) -> MLCode:
    if status == 403:  # noqa: PLR2004 - also from a proxy: the request went no further
        return MLCode.FORBIDDEN
    if not parsed or status in _NO_VERDICT or not 400 <= status < 500:  # noqa: PLR2004
        return MLCode.AMBIGUOUS
    return MLCode.BUSY if status == 409 else MLCode.REJECTED  # noqa: PLR2004


def _plain(operation: Operation, status: int) -> str:
    """Return the message for an answer without words of the server."""
    if status == 401:  # noqa: PLR2004
        return "OpenSearch does not accept the credentials (HTTP 401)"
    if 300 <= status < 400:  # noqa: PLR2004
        return f"{operation} was answered with a redirect (HTTP {status}), which is not followed"
    return f"{operation} was answered with HTTP {status}"


def _ids(row: Row, reason: str) -> tuple[str, ...]:
    """Return the ids that the words name: the row's own group, else the list at the end."""
    match = row.reason.search(reason) if row.reason is not None else None
    if row.code is MLCode.NAME_TAKEN and match is not None:
        return (match[1],)
    if row.code is MLCode.IN_USE and (listed := _IDS.search(reason)) is not None:
        return tuple(id_ for part in listed[1].split(",") if (id_ := part.strip()))
    return ()
