"""The real servers do what the fake of ML Commons does: the same checks run against it in tests/component."""

from __future__ import annotations

import ssl

import pytest

from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch
from support.mlcommons_contract import CHECKS, Check
from support.mlcommons_contract.target import target


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_opensearch_360(check: Check, opensearch_360: OpenSearch, model_server: ModelServer) -> None:
    await _run(check, opensearch_360, (3, 6), model_server)


@pytest.mark.exhaustive
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_opensearch_219(check: Check, opensearch_219: OpenSearch, model_server: ModelServer) -> None:
    await _run(check, opensearch_219, (2, 19), model_server)


async def _run(check: Check, server: OpenSearch, release: tuple[int, int], model_server: ModelServer) -> None:
    ca = server.ca_file.read_bytes() if server.ca_file is not None else None
    settings = ConnectionSettings(
        endpoints=(server.url,), username=server.username, password=server.password, ca=ca
    )
    verify = ssl.create_default_context(cafile=str(server.ca_file)) if server.ca_file is not None else True
    model_url = f"{model_server.url}/v1/embeddings"
    async with target(settings, release=release, model_url=model_url, verify=verify) as server_under_test:
        await check(server_under_test)
