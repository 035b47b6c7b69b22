"""A new key while the model is in use: no call fails, and the old connector goes when its time has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from stack import versions
from support.live_kube import Document
from support.live_remote import ML
from support.live_sets import CANARY, KEY
from support.live_stage import Stage
from support.live_waiting import until

PER_SECOND = 20
NEW_KEY = f"{CANARY}second-key"
KEEP_SECONDS = 5.0


class Load:
    """Calls a model at a steady rate and remembers what was answered."""

    def __init__(self, stage: Stage, model_id: str) -> None:
        self.statuses: list[int] = []
        self._stage = stage
        self._path = f"{ML}/models/{model_id}/_predict"
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        with self._stage.remote.node.client() as client:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                self.statuses.append(self._call(client))
                due += 1 / PER_SECOND

    def _call(self, client: httpx.Client) -> int:
        try:
            return client.post(self._path, json={"parameters": {"input": ["under load"]}}).status_code
        except httpx.HTTPError:
            return 0


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_a_new_key_under_load(stage: Stage) -> None:
    stage.connect()
    connector = stage.sets.connector("first", update={"keepOldFor": f"{KEEP_SECONDS:.0f}s"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first"))
    model_id = stage.ready("first")
    old = stage.kube.get("MLConnector", "first")["status"]["id"]
    stage.model_server.accept_keys([KEY, NEW_KEY])
    stage.model_server.forget_requests()
    load = Load(stage, model_id)
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
