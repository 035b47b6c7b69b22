"""A model that pipelines and agents name goes on serving them until they let go of it."""

from __future__ import annotations

from typing import Any

import pytest

from stack import versions
from support.live_remote import ML
from support.live_stage import Stage
from support.live_waiting import until

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True),
]


@pytest.mark.parametrize(
    ("path", "processors"),
    [("/_ingest/pipeline", "processors"), ("/_search/pipeline", "response_processors")],
)
def test_a_pipeline_keeps_its_model(stage: Stage, path: str, processors: str) -> None:
    stage.connect()
    model = stage.perform("first")
    inference = {
        "model_id": model,
        "input_map": [{"input": "text"}],
        "output_map": [{"vector": "response"}],
    }
    pipeline = f"{path}/{stage.kube.namespace}"
    stage.remote.client.put(pipeline, json={processors: [{"ml_inference": inference}]}).raise_for_status()
    try:
        _blocked(stage, "UsedByPipelines", stage.kube.namespace)
        assert stage.remote.predict(model).is_success
    finally:
        stage.remote.client.delete(pipeline).raise_for_status()
    stage.kube.until_gone(("RemoteModel", "first"))
    assert stage.remote.get("models", model) is None


@pytest.mark.parametrize("by", ["language model", "tool"])
def test_an_agent_keeps_its_model(stage: Stage, by: str) -> None:
    stage.connect()
    model = stage.perform("first")
    agent: dict[str, Any] = {"name": stage.kube.namespace, "type": "flow"}
    if by == "tool":
        agent["tools"] = [
            {"type": "MLModelTool", "name": "t", "parameters": {"model_id": model, "prompt": "x"}}
        ]
    else:
        agent |= {"type": "conversational", "memory": {"type": "conversation_index"}}
        agent["llm"] = {"model_id": model, "parameters": {"max_iteration": 5}}
    answer = stage.remote.client.post(f"{ML}/agents/_register", json=agent).raise_for_status()
    agent_id = answer.json()["agent_id"]
    try:
        _blocked(stage, "UsedByAgents", agent_id)
        assert stage.remote.predict(model).is_success
    finally:
        stage.remote.client.delete(f"{ML}/agents/{agent_id}").raise_for_status()
    stage.kube.until_gone(("RemoteModel", "first"))
    assert stage.remote.get("models", model) is None


def _blocked(stage: Stage, reason: str, name: str) -> None:
    """Ask for the deletion, and see what holds it up."""
    stage.kube.delete("RemoteModel", "first")
    condition = until(lambda: _deletable(stage), seconds=30)
    assert (condition["status"], condition["reason"]) == ("False", reason)
    assert name in condition["message"]


def _deletable(stage: Stage) -> dict[str, Any] | None:
    conditions = stage.kube.get("RemoteModel", "first")["status"]["conditions"]
    return next((each for each in conditions if each["type"] == "Deletable"), None)
