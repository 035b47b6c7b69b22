"""`spec.extra` on both releases: what they store, what they drop, and what they refuse."""

from __future__ import annotations

import pytest

from stack import versions
from support.live_stage import Stage
from support.live_waiting import until

CONFIG = {
    "model_type": "text_embedding",
    "embedding_dimension": 8,
    "framework_type": "sentence_transformers",
    "additional_config": {"space_type": "l2"},
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_extra_fields_are_sent_and_cost_nothing_at_rest(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(stage.sets.group("first"), stage.sets.connector("first", extra={"heard_of": "never"}))
    stage.kube.apply(stage.sets.model("first", extra={"model_config": CONFIG, "heard_of": "never"}))
    model_id = stage.ready("first")
    assert _dimension(stage, model_id) == CONFIG["embedding_dimension"]
    # At rest although the server shows nothing of the other field.
    version = stage.kube.get("RemoteModel", "first")["metadata"]["resourceVersion"]
    stage.kube.touch("RemoteModel", "first", "look")
    stage.kube.until(
        "RemoteModel", "first", lambda found: found["status"].get("lastHandledReconcileAt") == "look"
    )
    assert sum(stage.kube.changes("RemoteModel", version).values()) == 2  # the question and the answer to it
    stage.remote.change(model_id, {"model_config": {**CONFIG, "embedding_dimension": 9}})
    stage.kube.touch("RemoteModel", "first", "drift")
    until(lambda: _dimension(stage, model_id) == CONFIG["embedding_dimension"])
    assert stage.ready("first") == model_id
    stage.kube.apply(stage.sets.model("first"))
    assert "model_config" in stage.kube.until_reason("RemoteModel", "first", "Rejected")


def _dimension(stage: Stage, model_id: str) -> int:
    model = stage.remote.get("models", model_id)
    assert model is not None
    return int(model["model_config"]["embedding_dimension"])
