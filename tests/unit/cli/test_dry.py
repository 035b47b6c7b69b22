from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from opensearch_ml_operator.cli.dry import ReadOnly
from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.login import FixedLogin
from opensearch_ml_operator.opensearch.operations import Operation
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_mlcommons import FakeMLCommons

CONNECTORS = "/_plugins/_ml/connectors"


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons() as fake:
        yield fake


@pytest.fixture
async def transport(server: FakeMLCommons) -> AsyncIterator[ReadOnly]:
    made = ReadOnly(
        ConnectionSettings(endpoints=(server.url,)),
        login=FixedLogin(),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    yield made
    await made.retire()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{CONNECTORS}/_create"),
        ("PUT", f"{CONNECTORS}/one"),
        ("DELETE", f"{CONNECTORS}/one"),
        ("POST", "/_plugins/_ml/models/one/_deploy"),
        ("POST", "/_plugins/_ml/models/one/_predict?x=/_search"),
    ],
)
async def test_what_changes_something_is_never_sent(
    server: FakeMLCommons, transport: ReadOnly, method: str, path: str
) -> None:
    with pytest.raises(MLError) as refused:
        await transport.call(Operation.UPDATE_CONNECTOR, method, path, {})
    assert refused.value.code is MLCode.REJECTED
    assert server.requests == []


async def test_reads_are_sent(server: FakeMLCommons, transport: ReadOnly) -> None:
    await transport.call(Operation.GET_INFO, "GET", "/")
    await transport.call(Operation.SEARCH_CONNECTORS, "POST", f"{CONNECTORS}/_search", {"size": 0})
    assert len(server.requests) == 2
