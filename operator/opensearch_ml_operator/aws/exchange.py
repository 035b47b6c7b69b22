"""HTTP to those who give credentials of AWS. Redirects and the environment's proxies are not used.

Whom to ask is the installation's to say, never a connection's: nothing of a spec gets into the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from .. import __version__
from ..constants import NAME
from ..errors import AWSError

SECONDS: Final = 10.0
"""For one answer, from the name to the last byte."""
_LONGEST: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; it may hold keys."""

    status: int
    text: str = field(repr=False)


async def ask(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Send one request; raises AWSError when there is no answer, and names the host alone."""
    host = urlsplit(url).netloc
    try:
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(trust_env=False) as client:
            request = client.build_request(
                method, url, content=body, headers={"User-Agent": f"{NAME}/{__version__}", **(headers or {})}
            )
            async with contextlib.aclosing(await client.send(request, stream=True)) as response:
                return Answer(response.status_code, await _read_bounded(response, host))
    except TimeoutError:
        raise AWSError(f"{host} does not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        raise AWSError(f"{host} cannot be reached ({type(error).__name__})") from None


async def _read_bounded(response: httpx.Response, host: str) -> str:
    read = b""
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > _LONGEST:
            raise AWSError(f"the answer of {host} is too long")
    return read.decode(errors="replace")
