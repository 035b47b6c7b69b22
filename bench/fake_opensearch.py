"""The fake ML Commons of the tests as a server of its own, with answers that take as long as a network's.

What the operator costs with thousands of models is seen here: a real node of this size is not at hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import httpx

from stack import versions
from stack.local import Stack
from stack.opensearch_node import OpenSearch
from stack.server import Server
from support.fake_mlcommons import FakeMLCommons

ROOT = Path(__file__).parents[1]
READY_SECONDS = 20.0


def start_fake(stack: Stack, *, answer: float) -> OpenSearch:
    """Start it; each answer takes `answer` seconds. The stack ends it."""
    port = stack.ports.take()
    url = f"http://127.0.0.1:{port}"
    server = Server(
        stack.processes,
        "fake OpenSearch",
        [sys.executable, "-m", "bench.fake_opensearch", str(port), str(answer)],
        stack.folder / "fake-opensearch.log",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'operator'}:{ROOT}"},
        ready=lambda: _answers(url),
        ready_seconds=READY_SECONDS,
    )
    server.start()
    return OpenSearch(versions.OPENSEARCH_3, url, username=None, password=None, ca_file=None, server=server)


async def serve(port: int, answer: float) -> None:
    """Serve until the process is ended."""
    fake = FakeMLCommons(version="3.6", settings={"connector.private_ip_enabled": "true"})
    fake.expect_many()
    fake.port = port

    async def take_time(_: object) -> None:
        await asyncio.sleep(answer)

    fake.before = take_time
    async with fake:
        await asyncio.Event().wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=READY_SECONDS).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("answer", type=float)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.answer))
