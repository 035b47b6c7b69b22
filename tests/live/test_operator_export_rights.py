"""Each right to write ConfigMaps and Secrets is needed for exported ids, and its lack is named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import httpx
import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_exports import begin, export, exported, refused
from support.live_kube import MERGE_PATCH, Document
from support.live_stage import Stage, open_stage

RELEASE = "export"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
Right = tuple[str, str]  # verb, kind
RIGHTS: list[Right] = [
    (verb, kind) for verb in ("create", "patch", "delete") for kind in ("ConfigMap", "Secret")
]
PLACES = {right: f"export-{right[0]}-{right[1].lower()}" for right in RIGHTS}
"""A namespace for each right: there it is taken away."""
PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


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


@pytest.mark.exhaustive
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
