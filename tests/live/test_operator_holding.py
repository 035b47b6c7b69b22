"""suspend and Observe on real servers: not one write to OpenSearch, the difference shown, then made."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from stack import versions
from stack.operator_process import OperatorProcess
from support.live_kube import Document, condition
from support.live_metrics import opensearch_requests
from support.live_stage import Stage

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
SET = ("MLModelGroup", "MLConnector", "RemoteModel")
READS = ("get-", "search-", "profile-")


def effects(operator: OperatorProcess, stage: Stage) -> Counter[str]:
    """Count the requests that are not reads."""
    sent = opensearch_requests(operator, stage.kube.namespace)
    return Counter({name: number for name, number in sent.items() if not name.startswith(READS)})


def pending(found: Document) -> dict[str, tuple[Any, Any]]:
    changes = found["status"].get("pendingChanges", [])
    return {change["path"]: (change.get("from"), change.get("to")) for change in changes}


@pytest.mark.exhaustive
@both
@pytest.mark.parametrize("hold", [{"suspend": True}, {"managementPolicy": "Observe"}], ids=str)
def test_nothing_is_written_until_it_may(
    stage: Stage, operator: OperatorProcess, hold: dict[str, Any]
) -> None:
    stage.connect()
    model_id = stage.perform("one")
    for kind in SET:
        stage.kube.patch(kind, "one", {"spec": hold})
    stage.ready("one")
    sent = effects(operator, stage)

    undeployed = stage.remote.client.post(f"/_plugins/_ml/models/{model_id}/_undeploy")
    undeployed.raise_for_status()
    stage.kube.patch("MLModelGroup", "one", {"spec": {"description": "For embeddings"}})
    stage.kube.patch("MLConnector", "one", {"spec": {"parameters": {"model": "large"}}})
    stage.kube.patch("RemoteModel", "one", {"spec": {"enabled": False}})
    wanted = {
        "MLModelGroup": {"description"},
        "MLConnector": {"parameters.model"},
        "RemoteModel": {"is_enabled", "model_state"},
    }
    for kind in SET:
        stage.kube.until(kind, "one", lambda found: set(pending(found)) == wanted[found["kind"]])
        found = stage.kube.get(kind, "one")
        assert condition(found, "Synced")["reason"] == "DriftDetected"
        assert condition(found, "Stalled")["status"] == "True"
        assert condition(found, "Suspended").get("status") == ("True" if "suspend" in hold else None)
    assert pending(stage.kube.get("MLConnector", "one"))["parameters.model"] == (None, "large")
    assert effects(operator, stage) == sent

    for kind in SET:
        stage.kube.patch(kind, "one", {"spec": {"suspend": None, "managementPolicy": None}})
    assert stage.ready("one") == model_id
    document = stage.remote.get("models", model_id)
    assert document is not None
    assert document["is_enabled"] is False
    assert document["model_state"] == "DEPLOYED"
    for kind in SET:
        assert "pendingChanges" not in stage.kube.get(kind, "one")["status"]
