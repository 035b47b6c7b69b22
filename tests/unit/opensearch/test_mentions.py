"""What counts as naming a model, and how often the cluster is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings, MLCommons
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_clock import Clock
from support.memory_tokens import MemoryTokens

ID = "AH30DKIBguw1-bRJA_4B"
LOOKS = ("get-ingest-pipelines", "get-search-pipelines", "search-agents")


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(server: FakeMLCommons, clock: Clock) -> AsyncIterator[MLCommons]:
    pool = Pool(
        observer=lambda *_: None,
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=clock.monotonic,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
    )
    key = ObjectKey("OpenSearchConnection", "team", "main")
    yield await pool.put(key, ConnectionSettings(endpoints=(server.url,)))
    await pool.aclose()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"processors": [{"ml_inference": {"model_id": ID}}]}, True),
        ({"request_processors": [{"neural_query_enricher": {"neural_field_default_id": {"f": ID}}}]}, True),
        ({"phase_results_processors": [{"rerank": {"ml_opensearch": {"model_id": ID}}}]}, True),
        ({"processors": [{"script": {"source": f"ctx.model = '{ID}'"}}]}, True),
        ({"description": f"was made for {ID}", "processors": []}, False),
        ({"processors": [{"ml_inference": {"model_id": f"{ID}x"}}]}, False),
        ({"processors": [{"ml_inference": {"model_id": ID.rpartition("-")[2]}}]}, False),
    ],
)
async def test_a_pipeline_names(
    server: FakeMLCommons, client: MLCommons, body: dict[str, Any], *, names: bool
) -> None:
    server.cluster.search_pipelines["one"] = body
    assert (await client.mentions(ID)).pipelines == (("search pipeline one",) if names else ())


async def test_an_agents_parameters_may_hold_json_as_a_text(server: FakeMLCommons, client: MLCommons) -> None:
    agent = {"name": "planner", "parameters": {"mcp_connectors": f'[{{"mcp_connector_id":"{ID}"}}]'}}
    server.cluster.agents.put("agent1", agent)
    assert (await client.mentions(ID)).agents == ("agent planner (agent1)",)


async def test_a_burst_of_deletions_asks_once(server: FakeMLCommons, client: MLCommons, clock: Clock) -> None:
    for number in range(50):
        await client.mentions(f"model{number}")
    assert server.count(*LOOKS) == 3
    clock.seconds += 6
    await client.mentions(ID)
    assert server.count(*LOOKS) == 6


async def test_what_cannot_be_read_is_not_taken_for_nothing(server: FakeMLCommons, client: MLCommons) -> None:
    server.fail("get-search-pipelines", status=503)
    with pytest.raises(MLError) as failed:
        await client.mentions(ID)
    assert failed.value.code is MLCode.AMBIGUOUS
    server.fail("get-search-pipelines", status=404, body="<html>no such page</html>")
    server.cluster.search_pipelines["one"] = {"processors": [{"ml_inference": {"model_id": ID}}]}
    server.forbidden.add("search-agents")
    with pytest.raises(MLError):
        await client.mentions(ID)
    found = await client.mentions(ID)
    assert (found.pipelines, found.unseen) == (
        ("search pipeline one",),
        ("agents (cluster:admin/opensearch/ml/agents/search)",),
    )


async def test_a_server_without_agents_has_none(server: FakeMLCommons, client: MLCommons) -> None:
    words = "no handler found for uri [/_plugins/_ml/agents/_search] and method [POST]"
    server.fail("search-agents", status=400, body=f'{{"error": "{words}"}}')
    assert (await client.mentions(ID)).unseen == ()
