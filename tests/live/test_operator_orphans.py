"""A model whose finalizer was taken off is shown, and goes when a person or the connection's spec says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stack import versions
from support.live_stage import Stage
from support.live_waiting import until

ANNOTATION = "opensearchml.io/delete-orphans"
DELETE = {"spec": {"orphans": {"policy": "Delete", "after": "1h"}}}


def test_a_model_without_its_resource(stage: Stage) -> None:
    stage.connect()
    model = stage.perform("first")
    assert stage.remote.node.version == versions.OPENSEARCH_3  # it lets a test change the times of documents
    with _named(stage, model):
        _strip(stage, "first", model)
        _ask(stage, model)
        until(lambda: _orphans(stage) == [model], seconds=30)
        assert stage.remote.predict(model).is_success
    _ask(stage, f"again {model}")
    until(lambda: stage.remote.get("models", model) is None, seconds=60)
    until(lambda: _orphans(stage) == [], seconds=30)


def test_orphans_go_by_the_spec_and_what_was_retained_stays(stage: Stage) -> None:
    stage.connect()
    lost, kept = stage.perform("lost"), stage.perform("kept")
    uid = stage.kube.get("RemoteModel", "kept")["metadata"]["uid"]
    retain = {"metadata": {"annotations": {"opensearchml.io/deletion-policy": "Retain"}}}
    stage.kube.patch("RemoteModel", "kept", retain)
    stage.kube.delete("RemoteModel", "kept")
    stage.kube.until_gone(("RemoteModel", "kept"))
    assert _connection(stage)["status"]["retained"] == [uid]
    _age(stage, kept)
    with _named(stage, lost):
        _strip(stage, "lost", lost)

    stage.kube.patch("OpenSearchConnection", "main", DELETE)
    _ask(stage, "look")
    until(lambda: _orphans(stage) == [lost], seconds=30)
    shown = [
        {**orphan, "since": "2026-01-01T00:00:00Z"} for orphan in _connection(stage)["status"]["orphans"]
    ]
    stage.kube.patch("OpenSearchConnection", "main", {"status": {"orphans": shown}}, subresource="/status")
    _ask(stage, "look again")
    until(lambda: stage.remote.get("models", lost) is None, seconds=60)
    until(lambda: _orphans(stage) == [], seconds=30)
    assert stage.remote.predict(kept).is_success
    path = f"/_plugins/_ml/models/{kept}"
    stage.remote.client.post(f"{path}/_undeploy").raise_for_status()
    until(lambda: stage.remote.client.delete(path).is_success, seconds=30)


@contextmanager
def _named(stage: Stage, model: str) -> Iterator[None]:
    """Have a pipeline name the model, which nothing is done to meanwhile."""
    inference = {
        "model_id": model,
        "input_map": [{"input": "text"}],
        "output_map": [{"vector": "response"}],
    }
    pipeline = f"/_ingest/pipeline/{stage.kube.namespace}"
    stage.remote.client.put(pipeline, json={"processors": [{"ml_inference": inference}]}).raise_for_status()
    yield
    stage.remote.client.delete(pipeline).raise_for_status()


def _strip(stage: Stage, name: str, model: str) -> None:
    """Take a model's resource away, but not the model."""
    stage.kube.delete("RemoteModel", name)
    stage.kube.patch("RemoteModel", name, {"metadata": {"finalizers": None}})
    stage.kube.until_gone(("RemoteModel", name))
    _age(stage, model)


def _age(stage: Stage, model: str) -> None:
    path = f"/.plugins-ml-model/_update/{model}?refresh=true"
    stage.remote.client.post(path, json={"doc": {"created_time": 1_000}}).raise_for_status()


def _ask(stage: Stage, value: str) -> None:
    stage.kube.patch("OpenSearchConnection", "main", {"metadata": {"annotations": {ANNOTATION: value}}})


def _connection(stage: Stage) -> dict[str, Any]:
    return stage.kube.get("OpenSearchConnection", "main")


def _orphans(stage: Stage) -> list[str]:
    return [orphan["id"] for orphan in _connection(stage)["status"].get("orphans", [])]
