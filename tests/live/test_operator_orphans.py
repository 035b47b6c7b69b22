"""A model whose finalizer was taken off is shown, and goes when a person says so."""

from __future__ import annotations

from stack import versions
from support.live_stage import Stage
from support.live_waiting import until

ANNOTATION = "opensearchml.io/delete-orphans"


def test_a_model_without_its_resource(stage: Stage) -> None:
    stage.connect()
    model = stage.perform("first")
    assert stage.remote.node.version == versions.OPENSEARCH_3  # it lets a test change the times of documents
    inference = {
        "model_id": model,
        "input_map": [{"input": "text"}],
        "output_map": [{"vector": "response"}],
    }
    pipeline = f"/_ingest/pipeline/{stage.kube.namespace}"
    stage.remote.client.put(pipeline, json={"processors": [{"ml_inference": inference}]}).raise_for_status()
    stage.kube.delete("RemoteModel", "first")
    stage.kube.patch("RemoteModel", "first", {"metadata": {"finalizers": None}})
    stage.kube.until_gone(("RemoteModel", "first"))

    path = f"/.plugins-ml-model/_update/{model}?refresh=true"
    stage.remote.client.post(path, json={"doc": {"created_time": 1_000}}).raise_for_status()
    _ask(stage, model)
    until(lambda: _orphans(stage) == [model], seconds=30)
    assert stage.remote.predict(model).is_success  # the pipeline names it

    stage.remote.client.delete(pipeline).raise_for_status()
    _ask(stage, f"again {model}")
    until(lambda: stage.remote.get("models", model) is None, seconds=60)
    until(lambda: _orphans(stage) == [], seconds=30)


def _ask(stage: Stage, value: str) -> None:
    stage.kube.patch("OpenSearchConnection", "main", {"metadata": {"annotations": {ANNOTATION: value}}})


def _orphans(stage: Stage) -> list[str]:
    status = stage.kube.get("OpenSearchConnection", "main")["status"]
    return [orphan["id"] for orphan in status.get("orphans", [])]
