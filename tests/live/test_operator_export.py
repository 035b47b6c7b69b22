"""A model's id in a ConfigMap or Secret on the real API server: rights, owner, garbage collection."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import httpx
import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_kube import MERGE_PATCH, Document, condition
from support.live_stage import Stage, open_stage
from support.live_waiting import until

RELEASE = "export"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
Right = tuple[str, str]  # verb, kind
RIGHTS: list[Right] = [
    (verb, kind) for verb in ("create", "patch", "delete") for kind in ("ConfigMap", "Secret")
]
PLACES = {right: f"export-{right[0]}-{right[1].lower()}" for right in RIGHTS}
"""A namespace for each right: there it is taken away."""
PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


def exported(stage: Stage, kind: str, name: str, key: str = "model_id") -> str | None:
    """Return what stands under a key; None when it, or the object, is not there."""
    value = (stage.kube.find(kind, name) or {}).get("data", {}).get(key)
    return base64.b64decode(value).decode() if value is not None and kind == "Secret" else value


def begin(stage: Stage, **place: str) -> str:
    """Create a set whose model exports its id, and return the id once the model is registered."""
    stage.connect()
    stage.kube.apply(stage.sets.group("first"), stage.sets.connector("first"))
    stage.kube.apply(stage.sets.model("first", exportID=place))
    found = stage.kube.until("RemoteModel", "first", lambda found: "id" in found.get("status", {}))
    return str(found["status"]["id"])


def export(stage: Stage, **place: str) -> None:
    stage.kube.apply(stage.sets.model("first", exportID=place))


def refused(found: Document) -> str:
    synced = condition(found, "Synced")
    return str(synced["message"]) if synced.get("reason") == "PermissionDenied" else ""


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


@pytest.fixture
def stages(local_stack: Stack) -> Iterator[Mapping[Right, Stage]]:
    local_stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    with ExitStack() as opened:
        yield {right: opened.enter_context(open_stage(local_stack, name)) for right, name in PLACES.items()}


@pytest.fixture
def exporter(local_stack: Stack, stages: Mapping[Right, Stage]) -> Iterator[OperatorProcess]:
    process = start_operator(
        local_stack,
        namespace="export-operator",
        release=RELEASE,
        watch=[stage.kube.namespace for stage in stages.values()],
        values={"quietPeriod": "10s", "rbac": {"exportToSecrets": True}},
    )
    yield process
    process.stop()


def test_each_right_is_needed(stages: Mapping[Right, Stage], exporter: OperatorProcess) -> None:
    assert exporter.server.is_running()
    whole = {right: rules(stage) for right, stage in stages.items()}
    for right, stage in stages.items():
        write(stage, without(whole[right], right))
        begin(stage, kind=right[1], name="ids")
    for (verb, kind), stage in stages.items():
        if verb != "create":
            stage.ready("first")
            export(stage, kind=kind, **({"name": "ids", "key": "id"} if verb == "patch" else {"name": "new"}))
        found = stage.kube.until("RemoteModel", "first", lambda found: bool(refused(found)))
        assert f"{verb} {PLURALS[kind]}" in refused(found)
        assert stage.remote.predict(found["status"]["id"]).status_code == httpx.codes.OK
    for right, stage in stages.items():
        write(stage, whole[right])
    for (verb, kind), stage in stages.items():
        id_ = stage.ready("first")
        name, key = "new" if verb == "delete" else "ids", "id" if verb == "patch" else "model_id"
        assert exported(stage, kind, name, key) == id_
        stage.kube.delete_all()
        stage.until_nothing_is_left()
        stage.kube.until_gone((kind, "ids"), (kind, "new"))


def rules(stage: Stage) -> list[Document]:
    """Return the rules of the operator's Role."""
    found: list[Document] = stage.kube.client.get(role(stage)).raise_for_status().json()["rules"]
    return found


def without(whole: list[Document], right: Right) -> list[Document]:
    """Return the rules that lack one right to write."""
    verb, kind = right
    (writing,) = [rule for rule in whole if rule["resources"] == ["configmaps", "secrets"]]
    one_by_one = [
        {**writing, "resources": [plural], "verbs": [each for each in writing["verbs"] if each != verb]}
        if name == kind
        else {**writing, "resources": [plural]}
        for name, plural in PLURALS.items()
    ]
    return [*(rule for rule in whole if rule is not writing), *one_by_one]


def write(stage: Stage, changed: list[Document]) -> None:
    body = json.dumps({"rules": changed})
    stage.kube.client.patch(role(stage), content=body, headers=MERGE_PATCH).raise_for_status()


def role(stage: Stage) -> str:
    return f"{RBAC}/{stage.kube.namespace}/roles/{RELEASE}-opensearch-ml-operator"
