"""A model's id in a ConfigMap on the real API server: owner, garbage collection, what is not ours."""

from __future__ import annotations

import pytest

from stack import versions
from support.live_exports import begin, export, exported
from support.live_stage import Stage
from support.live_waiting import until


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_the_id_is_exported_for_as_long_as_the_model_lives(stage: Stage) -> None:
    old = begin(stage, name="ids")
    assert stage.ready("first") == old
    assert exported(stage, "ConfigMap", "ids") == old
    stage.remote.client.post(f"/_plugins/_ml/models/{old}/_undeploy").raise_for_status()
    stage.remote.client.delete(f"/_plugins/_ml/models/{old}").raise_for_status()
    stage.kube.touch("RemoteModel", "first", "deleted")
    until(lambda: exported(stage, "ConfigMap", "ids") not in {old, None}, seconds=60)
    assert exported(stage, "ConfigMap", "ids") == stage.ready("first")
    export(stage, name="others", key="id")
    until(lambda: exported(stage, "ConfigMap", "others", "id") == stage.ready("first"))
    assert stage.kube.find("ConfigMap", "ids") is None
    stage.kube.delete("RemoteModel", "first")
    stage.kube.until_gone(("RemoteModel", "first"), ("ConfigMap", "others"))


def test_what_is_not_ours_is_not_touched(stage: Stage) -> None:
    metadata = {"name": "ids", "namespace": stage.kube.namespace}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"model_id": "theirs"}}
    stage.kube.apply(theirs)
    begin(stage, name="ids")
    assert "ConfigMap ids" in stage.kube.until_reason("RemoteModel", "first", "Conflict")
    assert exported(stage, "ConfigMap", "ids") == "theirs"
    export(stage, kind="Secret", name="ids")
    message = stage.kube.until_reason("RemoteModel", "first", "PermissionDenied")
    assert "create secrets" in message
    assert "rbac.exportToSecrets" in message
    assert stage.kube.find("Secret", "ids") is None
    export(stage, name="free")
    until(lambda: exported(stage, "ConfigMap", "free") == stage.ready("first"))
    assert exported(stage, "ConfigMap", "ids") == "theirs"
