"""A new key while the model is in use: no call fails, whatever the key, and whoever is killed meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from stack import versions
from stack.operator_process import OperatorProcess
from support.live_kube import Document, condition
from support.live_remote import ML
from support.live_sets import CANARY, KEY
from support.live_stage import Stage
from support.live_waiting import until

from .test_operator_probe import allow_probes

PER_SECOND = 50
THREADS = 4
WRONG_KEY, NEW_KEY = f"{CANARY}wrong-key", f"{CANARY}second-key"
KEEP_SECONDS = 5.0
SECONDS = 150.0
"""A deployment that hangs in a server under load is asked for again after 60 s."""
STEPS = ("pending", "candidate", "trial", "previous")
"""What the connector's status shows in the course of a rotation, and not before or after it."""
PROBE = {"parameters": {"input": ["a quiet harbour"]}}

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)


class Load:
    """Calls a model at a steady rate and remembers what was answered."""

    def __init__(self, stage: Stage, model_id: str) -> None:
        self.statuses: list[int] = []
        self._stage = stage
        self._path = f"{ML}/models/{model_id}/_predict"
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: self.statuses)
            yield
            self.until_more(PER_SECOND)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def until_more(self, number: int) -> None:
        """Wait for so many answers more."""
        enough = len(self.statuses) + number
        until(lambda: len(self.statuses) >= enough, seconds=60)

    def _run(self) -> None:
        with self._stage.remote.node.client() as client:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                self.statuses.append(self._call(client))
                due = max(due + THREADS / PER_SECOND, time.monotonic() - 1)

    def _call(self, client: httpx.Client) -> int:
        try:
            return client.post(self._path, json={"parameters": {"input": ["under load"]}}).status_code
        except httpx.HTTPError:
            return 0


@pytest.fixture
def in_use(stage: Stage) -> Iterator[Load]:
    """Apply a probed set that two keys are good for, and call its model all the time."""
    allow_probes(stage)
    stage.connect()
    connector = stage.sets.connector("first", update={"keepOldFor": f"{KEEP_SECONDS:.0f}s"})
    stage.kube.apply(stage.sets.group("first"), connector, stage.sets.model("first", probe=PROBE))
    load = Load(stage, stage.ready("first", seconds=60))
    stage.model_server.accept_keys([KEY, NEW_KEY])
    stage.model_server.forget_requests()
    try:
        with load.running():
            yield load
    finally:
        stage.model_server.accept_keys(None)


@both
def test_a_new_key_under_load(stage: Stage, in_use: Load) -> None:
    before, model = _status(stage), stage.kube.get("RemoteModel", "first")["status"]["id"]
    until(lambda: _keys(stage) == [KEY])
    _rotate(stage, NEW_KEY, "rotated")
    until(lambda: _keys(stage, "under load") == [KEY, NEW_KEY], seconds=SECONDS, told=lambda: _told(stage))
    swapped = time.monotonic()
    stage.kube.until("MLConnector", "first", lambda found: _previous(found) == [before["id"]])
    assert stage.remote.get("connectors", before["id"]) is not None
    until(lambda: stage.remote.get("connectors", before["id"]) is None, seconds=60)
    kept = time.monotonic() - swapped
    assert kept > KEEP_SECONDS - 3  # the record has whole seconds, and the swap came before its first call
    _settled(stage, in_use, model)


@both
def test_a_wrong_key_meets_no_prediction(stage: Stage, in_use: Load) -> None:
    before, model = _status(stage), stage.kube.get("RemoteModel", "first")["status"]["id"]
    _rotate(stage, WRONG_KEY, "wrong")
    words = stage.kube.until_reason("MLConnector", "first", "ProbeFailed", seconds=60)
    assert before["id"] in words
    assert CANARY not in words
    in_use.until_more(2 * PER_SECOND)
    assert stage.kube.get("RemoteModel", "first")["status"]["connectorID"] == before["id"]
    assert condition(stage.kube.get("RemoteModel", "first"), "Ready")["status"] == "True"
    assert WRONG_KEY in _keys(stage)
    assert WRONG_KEY not in _keys(stage, "under load")

    _rotate(stage, NEW_KEY, "right")
    until(lambda: NEW_KEY in _keys(stage, "under load"), seconds=SECONDS, told=lambda: _told(stage))
    _settled(stage, in_use, model)
    assert WRONG_KEY not in _keys(stage, "under load")


@pytest.mark.exhaustive
@both
def test_a_rotation_survives_every_kill(stage: Stage, operator: OperatorProcess, in_use: Load) -> None:
    model = stage.kube.get("RemoteModel", "first")["status"]["id"]
    keys = [NEW_KEY, KEY]
    for number, step in enumerate(STEPS):
        old = _status(stage)["id"]
        _rotate(stage, keys[number % 2], step)
        _until_shown(stage, step)
        operator.kill()
        operator.start()
        stage.kube.until("MLConnector", "first", _is_not(old), seconds=120)
        _settled(stage, in_use, model)


def _rotate(stage: Stage, key: str, mark: str) -> None:
    """Give the Secret another value. It is not watched: it is read at a resync, or when somebody asks."""
    stage.kube.apply(stage.sets.key(key))
    stage.kube.touch("MLConnector", "first", mark)


def _told(stage: Stage) -> object:
    return [stage.kube.get(kind, "first")["status"] for kind in ("MLConnector", "RemoteModel")]


def _settled(stage: Stage, load: Load, model: str) -> None:
    """Wait until one of each is left, and assert that no call has failed and the model is the same."""

    def done() -> bool:
        return not any(_status(stage).get(field) for field in STEPS)

    until(done, seconds=120, told=lambda: _status(stage))
    assert stage.ready("first", seconds=60) == model
    until(lambda: stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}, told=stage.left)
    load.until_more(PER_SECOND)
    assert set(load.statuses) == {200}


def _until_shown(stage: Stage, field: str) -> None:
    until(lambda: _status(stage).get(field), seconds=60, poll=0.01)


def _is_not(old: str) -> Callable[[Document], bool]:
    return lambda found: found["status"]["id"] != old


def _status(stage: Stage) -> Document:
    status: Document = stage.kube.get("MLConnector", "first")["status"]
    return status


def _keys(stage: Stage, text: str = "") -> list[str]:
    """Return the keys that the model server was called with, in the order of their first call."""
    calls = [call for call in stage.model_server.requests() if not text or text in str(call.body)]
    return list(dict.fromkeys(call.headers["Authorization"].removeprefix("Bearer ") for call in calls))


def _previous(found: Document) -> list[str]:
    return [each["id"] for each in found["status"].get("previous", [])]
