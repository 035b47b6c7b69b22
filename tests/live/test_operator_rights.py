"""Each right that the chart gives the operator is needed: without it something is seen to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from opensearch_ml_operator.models.kinds import kinds
from stack import versions
from stack.local import Stack
from stack.operator_process import NAME, OperatorProcess, RenderedChart, render_chart, start_operator
from support.live_kube import MERGE_PATCH, OURS, Document, condition, is_ready
from support.live_stage import Stage, open_stage
from support.live_waiting import until

OPERATORS = "rights-operator"
WHOLE = "rights-whole"
LEASE_VERBS = ("create", "get", "patch")
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
PLURALS = [kind.plural for kind in kinds(cluster_wide=False)]
Right = tuple[str, str]  # verb, resource
EXPORTING: list[Right] = [(verb, "configmaps") for verb in ("create", "patch", "delete")]
RIGHTS: list[Right] = [
    *((verb, plural) for verb in ("get", "list", "watch", "patch") for plural in PLURALS),
    *(("patch", f"{plural}/status") for plural in PLURALS),
    ("get", "secrets"),
    ("get", "configmaps"),
    *EXPORTING,
    ("create", "events"),
]
TRIED: list[Right] = [
    right for right in RIGHTS if not right[1].startswith("mlclustersettings") and right not in EXPORTING
]
"""Settings belong to a whole cluster: test_operator_settings.py uses these rights. For exported ids it is
test_operator_export.py, with those on Secrets.
"""
TO_DELETE: list[Right] = [
    (verb, resource)
    for verb, resource in TRIED
    if verb == "get" and resource in PLURALS and resource != "opensearchconnections"
]
TO_TELL: list[Right] = [("create", "events"), ("get", "opensearchconnections")]
"""Without these all ends well: but no Event is seen, nor what still holds a connection that is to go."""
PLACES = {right: f"rights-{number:02}" for number, right in enumerate(TRIED)}
"""A namespace for each right: there it is taken away."""


@pytest.fixture(scope="module")
def chart(local_stack: Stack) -> RenderedChart:
    local_stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    watch = {"namespaces": [WHOLE, *PLACES.values()]}
    rendered = render_chart(local_stack.helm(), NAME, OPERATORS, {"watch": watch})
    rendered.apply(local_stack.control_plane)
    return rendered


@pytest.fixture
def stages(local_stack: Stack, chart: RenderedChart) -> Iterator[Mapping[str, Stage]]:
    """Return all namespaces, their Roles cut."""
    assert chart.manifests
    with ExitStack() as opened:
        stages = {
            name: opened.enter_context(open_stage(local_stack, name)) for name in (WHOLE, *PLACES.values())
        }
        for right, name in PLACES.items():
            take_away(stages[name], f"{name}/roles/{NAME}", right)
        yield stages


@pytest.fixture
def operator(local_stack: Stack, stages: Mapping[str, Stage]) -> Iterator[OperatorProcess]:
    values = {"quietPeriod": "10s", "leaderElection": {"enabled": False}}
    process = start_operator(
        local_stack, namespace=OPERATORS, watch=list(stages), values=values, apply_chart=False
    )
    yield process
    process.stop()


def test_the_list_is_that_of_the_chart(chart: RenderedChart) -> None:
    (role,) = [
        each for each in chart.manifests if each["metadata"].get("namespace") == WHOLE and "rules" in each
    ]
    granted = [
        (verb, resource) for rule in role["rules"] for verb in rule["verbs"] for resource in rule["resources"]
    ]
    assert sorted(granted) == sorted(RIGHTS)


@pytest.mark.exhaustive
def test_each_right_in_a_namespace_is_needed(stages: Mapping[str, Stage], operator: OperatorProcess) -> None:
    for stage in stages.values():
        begin(stage)
    until(lambda: is_done(stages[WHOLE]), seconds=60, told=lambda: what_is(stages[WHOLE]))
    for stage in stages.values():
        change(stage)
    until(lambda: is_swapped(stages[WHOLE]), seconds=60, told=lambda: what_is(stages[WHOLE]))
    assert {right for right, name in PLACES.items() if is_done(stages[name])} <= {*TO_DELETE, *TO_TELL}
    for stage in stages.values():
        for kind in OURS:
            stage.kube.client.delete(stage.kube.path(kind)).raise_for_status()
    stages[WHOLE].kube.until_empty()
    assert not any(is_over(stages[PLACES[right]]) for right in TO_DELETE)

    def not_missed() -> list[Right]:
        return [right for right, name in PLACES.items() if not refusals(operator, name)]

    until(lambda: not not_missed(), seconds=30, told=not_missed)
    assert refusals(operator, WHOLE) == []

    for right, name in PLACES.items():
        give_back(stages[name], f"{name}/roles/{NAME}", right)
    operator.restart()  # at once, not when kopf's pauses are over
    for stage in stages.values():
        stage.kube.until_empty()
        stage.until_nothing_is_left()


@pytest.mark.exhaustive
@pytest.mark.parametrize("verb", LEASE_VERBS)
def test_each_right_on_the_lease_is_needed(local_stack: Stack, verb: str) -> None:
    namespace, release = f"rights-lease-{verb}", f"lease-{verb}"
    render = render_chart(local_stack.helm(), release, namespace, {"watch": {"namespaces": [namespace]}})
    render.apply(local_stack.control_plane)
    with open_stage(local_stack, namespace) as stage:
        take_away(stage, f"{namespace}/roles/{render.service_account}-lease", (verb, "leases"))
        process = start_operator(
            local_stack, namespace=namespace, release=release, watch=[namespace], apply_chart=False
        )
        try:
            until(lambda: refusals(process, "leases"), told=process.log_file.read_text)
        finally:
            process.stop()


def begin(stage: Stage) -> None:
    authority = stage.kube.control_plane.ca_file.read_text()  # any will do: the node speaks http
    ca: Document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ca", "namespace": stage.kube.namespace},
        "data": {"ca.crt": authority},
    }
    connection = stage.sets.connection(tls={"caRef": {"kind": "ConfigMap", "name": "ca"}})
    stage.kube.apply(ca, *connection, stage.sets.key(), *stage.sets.one_set("first"))


def change(stage: Stage) -> None:
    """Cause an Event."""
    stage.kube.apply(stage.sets.connector("first", parameters={"changed": "yes"}))


def is_done(stage: Stage) -> bool:
    return all(is_ready(each) for kind in OURS for each in stage.kube.list(kind))


def is_swapped(stage: Stage) -> bool:
    return any(event["reason"] == "Swapping" for event in stage.kube.list("Event")) and is_done(stage)


def is_over(stage: Stage) -> bool:
    return not any(stage.kube.list(kind) for kind in OURS)


def what_is(stage: Stage) -> list[Any]:
    return [(each["kind"], condition(each, "Ready")) for kind in OURS for each in stage.kube.list(kind)]


def refusals(operator: OperatorProcess, about: str) -> list[str]:
    # Without the time, which may hold a 403 of its own.
    lines = [line.partition('"level"')[2] for line in operator.log_file.read_text().splitlines()]
    return [line for line in lines if about in line and ("403" in line or "orbidden" in line)]


def take_away(stage: Stage, role: str, right: Right) -> None:
    """Take one right out of a Role."""
    verb, resource = right
    answer = stage.kube.client.get(f"{RBAC}/{role}").raise_for_status().json()
    rules = []
    for rule in answer["rules"]:
        rest = [each for each in rule["resources"] if each != resource]
        verbs = [each for each in rule["verbs"] if each != verb]
        rules += [{**rule, "resources": rest}] if rest else []
        rules += (
            [{**rule, "resources": [resource], "verbs": verbs}]
            if verbs and resource in rule["resources"]
            else []
        )
    assert rules != answer["rules"]
    _write(stage, role, rules)


def give_back(stage: Stage, role: str, right: Right) -> None:
    """Put it back."""
    verb, resource = right
    group = "opensearchml.io" if resource.partition("/")[0] in PLURALS else ""
    answer = stage.kube.client.get(f"{RBAC}/{role}").raise_for_status().json()
    _write(stage, role, [*answer["rules"], {"apiGroups": [group], "resources": [resource], "verbs": [verb]}])


def _write(stage: Stage, role: str, rules: list[Any]) -> None:
    body = json.dumps({"rules": rules})
    stage.kube.client.patch(f"{RBAC}/{role}", content=body, headers=MERGE_PATCH).raise_for_status()
