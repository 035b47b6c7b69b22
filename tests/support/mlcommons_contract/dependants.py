"""Who names a model: pipelines and agents, which OpenSearch itself sees in part, and does not care about."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.reconcilers.ports import Mentions

from .target import ML, Target, unique

SAFE = "plugins.ml_commons.safe_delete_model"


async def pipelines_and_agents_that_name_a_model_are_found(t: Target) -> None:
    model = await t.model()
    ingest, query = _name("ingest"), _name("search")
    await _put(t, f"/_ingest/pipeline/{ingest}", {"processors": [_inference(model)]})
    await _put(t, f"/_search/pipeline/{query}", {"response_processors": [_inference(model)]})
    thinker = await _agent(t, llm={"model_id": model, "parameters": {"max_iteration": 5}})
    try:
        found = await t.client.mentions(model)
        assert found.pipelines == (f"ingest pipeline {ingest}", f"search pipeline {query}")
        assert [words.rpartition(" ")[2] for words in found.agents] == [f"({thinker})"]
        assert found.unseen == ()
        assert await t.client.mentions("missing1") == Mentions()
    finally:
        await t.raw("DELETE", f"/_ingest/pipeline/{ingest}")
        await t.raw("DELETE", f"/_search/pipeline/{query}")
        await t.raw("DELETE", f"{ML}/agents/{thinker}")


async def a_model_is_undeployed_and_deleted_under_a_pipeline(t: Target) -> None:
    model = await t.model()
    name = _name("ingest")
    await _put(t, f"/_ingest/pipeline/{name}", {"processors": [_inference(model)]})
    try:
        await t.client.undeploy_model(model)
        await t.client.delete_model(model)
        assert await t.client.get_model(model) is None
    finally:
        await t.raw("DELETE", f"/_ingest/pipeline/{name}")


async def safe_delete_refuses_for_a_pipeline(t: Target) -> None:
    model = await t.model()
    name = _name("ingest")
    await _put(t, f"/_ingest/pipeline/{name}", {"processors": [_inference(model)]})
    await t.raw("PUT", "/_cluster/settings", {"persistent": {SAFE: True}})
    try:
        with pytest.raises(MLError) as refused:
            await t.client.delete_model(model)
    finally:
        await t.raw("PUT", "/_cluster/settings", {"persistent": {SAFE: None}})
        await t.raw("DELETE", f"/_ingest/pipeline/{name}")
    assert (refused.value.code, refused.value.ids) == (MLCode.IN_USE, (name,))


async def safe_delete_looks_at_the_tools_of_agents_alone(t: Target) -> None:
    model = await t.model()
    tool = {"type": "MLModelTool", "name": "t", "parameters": {"model_id": model, "prompt": "x"}}
    worker = await _agent(t, type="flow", tools=[tool])
    await t.raw("PUT", "/_cluster/settings", {"persistent": {SAFE: True}})
    try:
        with pytest.raises(MLError) as refused:
            await t.client.delete_model(model)
        assert (refused.value.code, refused.value.ids) == (MLCode.IN_USE, (worker,))
        await t.raw("DELETE", f"{ML}/agents/{worker}")
        worker = await _agent(t, llm={"model_id": model, "parameters": {"max_iteration": 5}})
        await t.client.delete_model(model)
    finally:
        await t.raw("PUT", "/_cluster/settings", {"persistent": {SAFE: None}})
        await t.raw("DELETE", f"{ML}/agents/{worker}")


async def models_of_a_group_and_a_connector_are_found(t: Target) -> None:
    connector, group = await t.connector(), await t.group()
    model = await t.model(connector_id=connector, model_group_id=group)
    assert [hit.id for hit in await t.client.search_users("group", group)] == [model]
    assert [hit.id for hit in await t.client.search_users("connector", connector)] == [model]
    assert await t.client.search_users("group", "missing1") == ()


async def _put(t: Target, path: str, body: dict[str, Any]) -> None:
    answer = await t.raw("PUT", path, body)
    assert answer.status == 200, answer


async def _agent(t: Target, **body: Any) -> str:
    whole = {
        "name": unique("agent"),
        "type": "conversational",
        "memory": {"type": "conversation_index"},
        **body,
    }
    answer = await t.raw("POST", f"{ML}/agents/_register", whole)
    assert answer.status == 200, answer
    return str(answer.body["agent_id"])


def _name(kind: str) -> str:
    return unique(kind).replace(" ", "-")


def _inference(model: str) -> dict[str, Any]:
    maps = {"input_map": [{"input": "text"}], "output_map": [{"vector": "response"}]}
    return {"ml_inference": {"model_id": model, **maps}}


CHECKS = (
    pipelines_and_agents_that_name_a_model_are_found,
    a_model_is_undeployed_and_deleted_under_a_pipeline,
    safe_delete_refuses_for_a_pipeline,
    safe_delete_looks_at_the_tools_of_agents_alone,
    models_of_a_group_and_a_connector_are_found,
)
