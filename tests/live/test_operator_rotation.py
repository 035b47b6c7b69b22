"""A new key while the model is in use: no call fails, and the old connector goes when its time has come."""

from __future__ import annotations

import time

import pytest

from stack import versions
from support.live_kube import Document
from support.live_load import Load
from support.live_sets import CANARY, KEY
from support.live_stage import Stage
from support.live_waiting import until

PER_SECOND = 20
NEW_KEY = f"{CANARY}second-key"
KEEP_SECONDS = 5.0


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_a_new_key_under_load(stage: Stage) -> None:
    stage.connect()
    connector = stage.sets.connector("first", update={"keepOldFor": f"{KEEP_SECONDS:.0f}s"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first"))
    model_id = stage.ready("first")
    old = stage.kube.get("MLConnector", "first")["status"]["id"]
    stage.model_server.accept_keys([KEY, NEW_KEY])
    stage.model_server.forget_requests()
    load = Load(stage, model_id, per_second=PER_SECOND)
    try:
        with load.running():
            until(lambda: _keys(stage) == [KEY])
            stage.kube.apply(stage.sets.key(NEW_KEY))
            # Secrets are not watched: the change is found at the next resync, or when somebody asks.
            stage.kube.touch("MLConnector", "first", "rotate")
            until(lambda: _keys(stage) == [KEY, NEW_KEY])
            swapped = time.monotonic()
            stage.kube.until("MLConnector", "first", lambda found: _previous(found) == [old])
            assert stage.remote.get("connectors", old) is not None
            until(lambda: stage.remote.get("connectors", old) is None)
            kept = time.monotonic() - swapped
    finally:
        stage.model_server.accept_keys(None)
    assert set(load.statuses) == {200}
    assert len(load.statuses) > KEEP_SECONDS * PER_SECOND / 2
    assert kept > KEEP_SECONDS - 2  # the record has whole seconds, and the swap came before its first call
    stage.kube.until("MLConnector", "first", lambda found: _previous(found) == [])
    assert stage.ready("first") == model_id
    new = stage.kube.get("MLConnector", "first")["status"]["id"]
    assert set(stage.remote.find("connectors", stage.kube.namespace)) == {new}
    model = stage.remote.get("models", model_id)
    assert model is not None
    assert (model["connector_id"], model["model_state"]) == (new, "DEPLOYED")


def _keys(stage: Stage) -> list[str]:
    """Return the keys that the model server was called with, in the order of their first call."""
    headers = (call.headers["Authorization"] for call in stage.model_server.requests())
    return list(dict.fromkeys(header.removeprefix("Bearer ") for header in headers))


def _previous(found: Document) -> list[str]:
    return [each["id"] for each in found["status"].get("previous", [])]
