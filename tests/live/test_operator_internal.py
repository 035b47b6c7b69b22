"""A model with a connector of its own on both releases: what a change does to the calls of others."""

from __future__ import annotations

from typing import Any

import pytest

from stack import versions
from support.live_kube import Document
from support.live_load import Load
from support.live_sets import CANARY, KEY
from support.live_stage import Stage
from support.live_waiting import until

PER_SECOND = 50
NEW_KEY = f"{CANARY}second-key"


def own_model(stage: Stage, **changes: Any) -> Document:
    """Return a model whose own connector is that of a set."""
    connector = {**stage.sets.connector("first")["spec"], **changes}
    del connector["connectionRef"]
    model = stage.sets.model("first", connectorRef=None, connectionRef={"name": "main"})
    return {**model, "spec": {**model["spec"], "connector": connector}}


def keys(stage: Stage) -> list[str]:
    """Return the keys that the model server was called with, in the order of their first call."""
    headers = (call.headers["Authorization"] for call in stage.model_server.requests())
    return list(dict.fromkeys(header.removeprefix("Bearer ") for header in headers))


def called_with(stage: Stage, model_id: str) -> list[str]:
    """Call the model once, and return the key that the model server was called with."""
    stage.model_server.forget_requests()
    assert stage.remote.predict(model_id).is_success
    return keys(stage)


def connector_of(stage: Stage, model_id: str) -> dict[str, Any]:
    model = stage.remote.get("models", model_id)
    assert model is not None
    assert "connector_id" not in model
    assert model["model_state"] == "DEPLOYED"
    connector: dict[str, Any] = model["connector"]
    assert "credential" not in connector
    return connector


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_changes_and_a_new_key_under_load(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(stage.sets.group("first"), own_model(stage))
    model_id = str(stage.kube.until_ready("RemoteModel", "first")["status"]["id"])
    stage.model_server.accept_keys([KEY, NEW_KEY])
    stage.model_server.forget_requests()
    load = Load(stage, model_id, per_second=PER_SECOND)
    try:
        with load.running():
            until(lambda: keys(stage) == [KEY])
            stage.kube.apply(own_model(stage, parameters={"more": "yes"}, version="2"))
            until(lambda: connector_of(stage, model_id)["parameters"].get("more") == "yes")
            stage.kube.until_ready("RemoteModel", "first")
            stage.kube.apply(stage.sets.key(NEW_KEY))
            stage.kube.touch("RemoteModel", "first", "rotate")
            until(lambda: NEW_KEY in keys(stage))
            done = len(load.statuses)
            until(lambda: len(load.statuses) > done + PER_SECOND)
    finally:
        stage.model_server.accept_keys(None)
    assert keys(stage) == [KEY, NEW_KEY]  # never in cipher text
    assert set(load.statuses) == {200}
    assert connector_of(stage, model_id)["version"] == "2"
    # What somebody changes in part, which spoils the stored key on 3.6, is put right with the next look.
    stage.remote.change(model_id, {"connector": {"parameters": {"more": "theirs"}}})
    stage.kube.touch("RemoteModel", "first", "drift")
    until(lambda: connector_of(stage, model_id)["parameters"]["more"] == "yes")
    until(lambda: called_with(stage, model_id) == [NEW_KEY])  # stored first, in force a moment later
    stage.kube.until_ready("RemoteModel", "first")
    stage.kube.apply(own_model(stage, version="2"))
    message = stage.kube.until_reason("RemoteModel", "first", "Rejected")
    assert "connector.parameters.more" in message
    assert stage.remote.predict(model_id).status_code == 200
