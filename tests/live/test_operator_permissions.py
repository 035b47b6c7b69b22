"""The operator's OpenSearch user lacks one permission: what fails says so, and names the permission."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_kube import OURS, Document, is_ready
from support.live_sets import PASSWORD, ROLE, Sets
from support.live_stage import Stage, open_stage
from support.live_waiting import until

PERMISSIONS: list[str] = ROLE["cluster_permissions"]
WHOLE = "permissions-whole"
UNUSED = "unused"
"""A connector without a model: only such a one is changed in place."""
HASHING_SECONDS = 120.0
"""For all the users' passwords: slow by intention."""
PLACES = {permission: f"permissions-{number:02}" for number, permission in enumerate(PERMISSIONS)}
"""A namespace for each permission: its connection's user has all others."""

UPDATE = "cluster:admin/opensearch/ml/update_model_group"
UNSEEN = {
    "cluster:monitor/state": "without it the health check cannot see which access control is on",
    "cluster:admin/opensearch/ml/profile/nodes": "asked before an undeployed model is deleted",
    "cluster:admin/opensearch/ml/tasks/get": "asked why a deployment has failed",
}
"""Permissions whose lack this scenario does not show; test_opensearch_role.py shows it, call by call."""


@pytest.fixture
def stages(local_stack: Stack) -> Iterator[Mapping[str, Stage]]:
    local_stack.start(opensearch=(versions.OPENSEARCH_2,), kubernetes=True, models=True)
    with ExitStack() as opened:
        names = (WHOLE, *PLACES.values())
        stages = {
            name: opened.enter_context(
                open_stage(local_stack, name, versions.OPENSEARCH_2, users=name == WHOLE)
            )
            for name in names
        }
        client = stages[WHOLE].remote.client
        change(client, "roles", {name: role_without(permission) for permission, name in PLACES.items()})
        change(client, "internalusers", {name: {"password": PASSWORD} for name in PLACES.values()})
        change(client, "rolesmapping", {name: {"users": [name]} for name in PLACES.values()})
        yield stages


@pytest.fixture
def operator(local_stack: Stack, stages: Mapping[str, Stage]) -> Iterator[OperatorProcess]:
    process = start_operator(
        local_stack,
        namespace="permissions-operator",
        release="permissions",
        watch=list(stages),
        values={"quietPeriod": "10s"},
    )
    yield process
    process.stop()


@pytest.mark.exhaustive
def test_a_missing_permission_is_named(stages: Mapping[str, Stage], operator: OperatorProcess) -> None:
    begin(stages[WHOLE], stages[WHOLE].sets)  # the first connector of a cluster makes its key: not in a crowd
    stages[WHOLE].ready("first")
    for name in PLACES.values():
        stage = stages[name]
        begin(stage, Sets(stage.sets.node, stage.model_server, name, username=name))
    seen: dict[str, set[str]] = {permission: set() for permission in PERMISSIONS}

    def unnamed() -> list[str]:
        for permission, name in PLACES.items():
            seen[permission] |= complaints(stages[name], permission)
        return [permission for permission in PERMISSIONS if not seen[permission] and permission not in UNSEEN]

    def all_have_come_as_far_as_they_can() -> bool:
        unnamed()
        return all(seen[permission] or settled(stages[name]) for permission, name in PLACES.items())

    until(all_have_come_as_far_as_they_can, seconds=240, poll=1, told=unnamed)
    for stage in stages.values():
        # What somebody changed is put back, and every object is read alone.
        stage.kube.patch("RemoteModel", "first", {"spec": {"description": "changed"}})
        stage.kube.patch("MLModelGroup", "first", {"spec": {"description": "changed"}})
        stage.kube.patch("MLConnector", UNUSED, {"spec": {"description": "changed"}})
        for each in objects(stage):
            stage.kube.touch(each["kind"], each["metadata"]["name"], "1")
    until(lambda: stages[WHOLE].ready("first"))
    until(lambda: UPDATE not in unnamed(), told=unnamed)  # a deleted group is gone before it can complain
    for stage in stages.values():
        for kind in OURS:
            stage.kube.client.delete(stage.kube.path(kind)).raise_for_status()
    until(lambda: not unnamed(), seconds=90, poll=1, told=unnamed)
    assert complaints_of_any(operator) == []

    # With the permission everything heals.
    change(stages[WHOLE].remote.client, "roles", dict.fromkeys(PLACES.values(), ROLE))
    for stage in stages.values():  # of those that lack nothing too: OpenSearch takes ids for others' ids
        stage.kube.until_empty(seconds=90)
        stage.until_nothing_is_left()


def change(client: httpx.Client, kind: str, bodies: Mapping[str, Any]) -> None:
    """Make or replace many objects of Security in one call: it loads its configuration after each."""
    patch = [{"op": "add", "path": f"/{name}", "value": body} for name, body in bodies.items()]
    client.patch(f"/_plugins/_security/api/{kind}", json=patch, timeout=HASHING_SECONDS).raise_for_status()


def role_without(permission: str) -> dict[str, list[str]]:
    return {"cluster_permissions": [each for each in PERMISSIONS if each != permission]}


def begin(stage: Stage, sets: Sets) -> None:
    stage.kube.apply(*sets.connection(), sets.key(), *sets.one_set("first"), sets.connector(UNUSED))


def complaints(stage: Stage, permission: str) -> set[str]:
    """Return the conditions that name the permission, and the Events: a deletion goes on without a look."""
    pattern = re.compile(rf"{re.escape(permission)}(?![\w/])")
    conditions = {
        f"{found['kind']} {each['type']} {each['reason']}"
        for found in objects(stage)
        for each in found.get("status", {}).get("conditions", [])
        if each["status"] != "True" and pattern.search(each["message"])
    }
    events = stage.kube.list("Event")
    return conditions | {each["reason"] for each in events if pattern.search(each["message"])}


def complaints_of_any(operator: OperatorProcess) -> list[str]:
    """Return the lines of the log about the namespace that lacks nothing."""
    lines = operator.log_file.read_text().splitlines()
    return [line for line in lines if WHOLE in line and '"error"' in line]


def settled(stage: Stage) -> bool:
    return all(is_ready(each) for each in objects(stage))


def objects(stage: Stage) -> list[Document]:
    return [{**each, "kind": kind} for kind in OURS for each in stage.kube.list(kind)]
