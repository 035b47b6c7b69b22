"""The strategy Redeploy on both releases: a new key and a changed body, and all keep their ids."""

from __future__ import annotations

import pytest

from stack import versions
from stack.operator_process import OperatorProcess
from support.live_sets import CANARY
from support.live_stage import Stage
from support.live_waiting import until

NEW_KEY = f"{CANARY}second-key"


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
@pytest.mark.usefixtures("operator")
def test_a_change_keeps_the_connectors_id(stage: Stage) -> None:
    stage.connect()
    connector = stage.sets.connector("first", update={"strategy": "Redeploy"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first"))
    model = stage.ready("first")
    before = _connector(stage)

    stage.kube.apply(stage.sets.key(NEW_KEY))
    stage.kube.patch("MLConnector", "first", {"spec": {"parameters": {"size": "large"}}})
    stage.kube.until(
        "MLConnector", "first", lambda found: "parameters" in _stored(stage, found["status"]["id"])
    )
    until(lambda: _key_of_a_call(stage, model) == NEW_KEY, seconds=60, told=lambda: _state(stage, model))
    assert stage.ready("first", seconds=60) == model
    assert _connector(stage) == before
    assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
    there = stage.remote.get("models", model)
    assert there is not None
    assert there["deploy_setting"]["is_auto_deploy_enabled"] is True


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_a_kill_while_the_model_is_down(stage: Stage, operator: OperatorProcess) -> None:
    stage.connect()
    connector = stage.sets.connector("first", update={"strategy": "Redeploy"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first"))
    model = stage.ready("first")
    before = _connector(stage)

    stage.kube.patch("MLConnector", "first", {"spec": {"parameters": {"size": "large"}}})
    until(lambda: _held(stage), seconds=60, poll=0.01)
    operator.kill()
    operator.start()
    until(lambda: not _held(stage), seconds=60)
    assert stage.ready("first", seconds=60) == model
    assert _connector(stage) == before
    assert _stored(stage, before)["parameters"] == {"size": "large"}
    assert stage.remote.predict(model).status_code == 200


def _state(stage: Stage, model: str) -> object:
    """Return what is said of both objects, and the last answer of the model."""
    said = [stage.kube.get(kind, "first")["status"] for kind in ("MLConnector", "RemoteModel")]
    return said, stage.remote.get("models", model), stage.remote.predict(model).text


def _held(stage: Stage) -> bool:
    return "modelsHeldSince" in stage.kube.get("MLConnector", "first")["status"]


def _connector(stage: Stage) -> str:
    found: str = stage.kube.get("MLConnector", "first")["status"]["id"]
    return found


def _stored(stage: Stage, connector: str) -> dict[str, object]:
    return stage.remote.get("connectors", connector) or {}


def _key_of_a_call(stage: Stage, model: str) -> str | None:
    """Call the model; return the key that it was called with, None when it does not answer."""
    stage.model_server.forget_requests()
    if stage.remote.predict(model).status_code != 200:
        return None
    (call,) = stage.model_server.requests()
    return call.headers["Authorization"].removeprefix("Bearer ")
