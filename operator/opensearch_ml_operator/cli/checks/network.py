"""The way to an endpoint below HTTP: name and port. All above is judged by the operator's own client."""

from __future__ import annotations

import asyncio
import os
import socket
from urllib.parse import urlsplit

from .check import Check, Fix, failed, ok

SECONDS = 5.0


async def reach(endpoint: str) -> tuple[Check, ...]:
    """Look the host up and open its port; the first that fails is the last."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), SECONDS)
    except (OSError, TimeoutError, UnicodeError) as error:
        return (failed("DNS", f"{host}: {_words(error)}", *_inside(host)),)
    addresses = sorted({str(each[4][0]) for each in found})
    named = ok("DNS", f"{host} is {', '.join(addresses)}")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), SECONDS)
    except (OSError, TimeoutError) as error:
        look = (
            (Fix(f"kubectl get endpointslices -A | grep {host.partition('.')[0]}"),) if _inside(host) else ()
        )
        return named, failed("TCP", f"port {port}: {_words(error)}", *look)
    writer.close()
    return named, ok("TCP", f"port {port} is open")


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:.0f} s"
    if isinstance(error, socket.gaierror):
        return error.strerror or "unknown"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a host name"


def _inside(host: str) -> tuple[Fix, ...]:
    """Return the way in for names that only the cluster's own DNS knows."""
    if not (host.endswith((".svc", ".local")) or host.count(".") <= 1) or host == "localhost" or ":" in host:
        return ()
    return (
        Fix("kubectl -n opensearch-ml exec deploy/opensearch-ml-operator -- opensearch-ml doctor -A"),
        Fix(
            f"kubectl port-forward service/{host.partition('.')[0]} 9200  # then: doctor --endpoint "
            "https://localhost:9200"
        ),
    )
