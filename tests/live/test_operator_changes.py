"""The change table of docs/changes.md on both releases; swap and redeploy have files of their own."""

from __future__ import annotations

from typing import Any

import pytest

from stack import versions
from support.live_kube import Document, condition
from support.live_stage import Stage
from support.live_waiting import until

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True),
]
GUARDRAILS = {"type": "local_regex", "input_guardrail": {"stop_words": [], "regex": [".*abort.*"]}}
INTERFACE = '{"type": "object", "properties": {"parameters": {"type": "object"}}}'


def test_an_unused_connector_keeps_its_id_until_a_key_is_taken_away(stage: Stage) -> None:
    stage.connect()
    whole = {"model": "small", "size": "3"}
    stage.kube.apply(stage.sets.connector("first", parameters=whole, update={"keepOldFor": "0s"}))
    first = ready(stage, "MLConnector")
    stage.kube.patch("MLConnector", "first", {"spec": {"parameters": {"model": "large"}}})
    until(lambda: stored(stage, "connectors", first)["parameters"] == {"model": "large", "size": "3"})
    assert ready(stage, "MLConnector") == first

    stage.kube.patch("MLConnector", "first", {"spec": {"parameters": {"size": None}}})
    until(lambda: stage.remote.get("connectors", first) is None)
    second = ready(stage, "MLConnector")
    assert stored(stage, "connectors", second)["parameters"] == {"model": "large"}
    assert stage.left()["connectors"] == 1


def test_in_place_only_waits_until_no_model_is_deployed(stage: Stage) -> None:
    stage.connect()
    connector = stage.sets.connector("first", update={"strategy": "InPlaceOnly"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first"))
    model = stage.ready("first")
    before = ready(stage, "MLConnector")
    stage.kube.patch("MLConnector", "first", {"spec": {"parameters": {"size": "large"}}})
    assert model in stage.kube.until_reason("MLConnector", "first", "Rejected")

    stage.kube.patch("RemoteModel", "first", {"spec": {"deploy": False}})
    until(lambda: stored(stage, "connectors", before)["parameters"] == {"size": "large"}, seconds=60)
    assert stored(stage, "models", model)["model_state"] == "UNDEPLOYED"
    stage.kube.patch("RemoteModel", "first", {"spec": {"deploy": True}})
    until(lambda: stored(stage, "models", model)["model_state"] == "DEPLOYED")
    assert (stage.ready("first"), ready(stage, "MLConnector")) == (model, before)
    assert stage.remote.predict(model).is_success


def test_a_deployed_model_is_changed_in_place(stage: Stage) -> None:
    stage.connect()
    model = stage.perform("first")
    stage.kube.apply(stage.sets.group("other"), stage.sets.connector("other"))
    changes: dict[str, Any] = {
        "description": "In other words",
        "rateLimiter": {"limit": 1000, "unit": "MINUTES"},
        "guardrails": GUARDRAILS,
        "interface": {"input": INTERFACE},
        "enabled": True,
        "deploySetting": {"autoDeployEnabled": False},
        "modelGroupRef": {"name": "other"},
        "connectorRef": {"name": "other"},
    }
    stage.kube.apply(stage.sets.model("first", **changes))
    group, connector = ready(stage, "MLModelGroup", "other"), ready(stage, "MLConnector", "other")
    until(lambda: stored(stage, "models", model)["connector_id"] == connector)
    assert stage.ready("first") == model
    seen = stored(stage, "models", model)
    assert seen["description"].startswith("In other words ")
    assert (float(seen["rate_limiter"]["limit"]), seen["rate_limiter"]["unit"]) == (1000, "MINUTES")
    assert seen["guardrails"]["input_guardrail"]["regex"] == [".*abort.*"]
    assert "parameters" in seen["interface"]["input"]
    assert seen["deploy_setting"]["is_auto_deploy_enabled"] is False
    assert (seen["model_group_id"], seen["model_state"]) == (group, "DEPLOYED")
    assert stage.remote.predict(model).is_success

    stage.kube.patch("RemoteModel", "first", {"spec": {"enabled": False}})
    until(lambda: stored(stage, "models", model).get("is_enabled") is False)

    # What OpenSearch cannot take away is said, and the model is left as it is.
    stage.kube.patch("RemoteModel", "first", {"spec": {"enabled": True, "rateLimiter": None}})
    assert "rate" in stage.kube.until_reason("RemoteModel", "first", "Rejected")
    found = stage.kube.get("RemoteModel", "first")
    assert condition(found, "Stalled")["status"] == "True"
    assert stored(stage, "models", model)["rate_limiter"]["unit"] == "MINUTES"


def test_what_somebody_else_changes_is_put_back(stage: Stage) -> None:
    stage.connect()
    model = stage.perform("first")
    stage.remote.change(model, {"description": "by hand", "is_enabled": False})
    stage.kube.touch("RemoteModel", "first", "changed")
    until(lambda: stored(stage, "models", model)["description"].startswith("k8sml"))
    until(lambda: stored(stage, "models", model)["is_enabled"] is True)
    assert stage.ready("first") == model


def ready(stage: Stage, kind: str, name: str = "first") -> str:
    """Wait until an object is Ready, and return its id."""
    id_: str = stage.kube.until_ready(kind, name)["status"]["id"]
    return id_


def stored(stage: Stage, kind: str, id_: str) -> Document:
    """Return what OpenSearch has."""
    found = stage.remote.get(kind, id_)
    assert found is not None
    return found
