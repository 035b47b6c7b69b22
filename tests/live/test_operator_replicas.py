"""Two replicas and one Lease: one works, the other takes over; a leader that wakes late does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_metrics import sample
from support.live_stage import Stage, open_stage
from support.live_waiting import until

NAME = "replicas"
NAMESPACE = "replicas-operator"
SETTINGS = {"quietPeriod": "30s"}
"""What a node that has much to do may take for a create."""
SETS = 6
SECONDS = 150.0


@pytest.fixture
def stage(local_stack: Stack) -> Iterator[Stage]:
    local_stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    with open_stage(local_stack, NAME) as opened:
        yield opened


@pytest.fixture
def pair(stage: Stage) -> Iterator[list[OperatorProcess]]:
    """Return two replicas, the leader first."""
    how: dict[str, Any] = {"namespace": NAMESPACE, "release": NAME, "watch": [NAME], "values": SETTINGS}
    first = start_operator(stage.stack, **how)
    until(lambda: leads(stage, first), told=lambda: lease(stage))
    second = start_operator(stage.stack, **how, apply_chart=False)
    yield [first, second]
    for process in (second, first):
        process.kill()


def lease(stage: Stage) -> dict[str, Any]:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    items = stage.kube.client.get(path).raise_for_status().json()["items"]
    found: dict[str, Any] = items[0]["spec"] if items else {}
    return found


def leads(stage: Stage, process: OperatorProcess) -> bool:
    """Whether the Lease names this replica: identities begin with the name of the pod, that of its folder."""
    holder: str = lease(stage).get("holderIdentity", "")
    return holder.startswith(process.log_file.parent.name)


def apply(stage: Stage, *names: str) -> None:
    stage.kube.apply(*(document for name in names for document in stage.sets.one_set(name)))


def check_one_each(stage: Stage, *names: str) -> None:
    for name in names:
        stage.ready(name, seconds=SECONDS)
    models = set(stage.remote.find("models", NAME))
    assert models == {each["status"]["id"] for each in stage.kube.list("RemoteModel")}
    until(lambda: set(stage.left().values()) == {len(names)}, told=stage.left)


def test_a_standby_takes_over_from_a_killed_leader(
    stage: Stage, pair: list[OperatorProcess], record_property: Any
) -> None:
    leader, standby = pair
    shown = [sample(each, "leader_election_master_status") for each in pair]
    assert shown == [1, 0]
    stage.connect()
    names = [f"set-{number}" for number in range(SETS)]
    apply(stage, *names)
    until(lambda: stage.left()["models"] > 0, poll=0.02)
    leader.kill()
    killed = datetime.now(UTC)
    until(lambda: leads(stage, standby), seconds=SECONDS, told=lambda: lease(stage))
    acquired = datetime.fromisoformat(lease(stage)["acquireTime"])
    record_property("seconds from the kill to the new leader", (acquired - killed).total_seconds())
    check_one_each(stage, *names)
    stage.kube.delete_all()
    stage.until_nothing_is_left()


@pytest.mark.exhaustive
def test_a_leader_that_wakes_late_does_no_harm(stage: Stage, pair: list[OperatorProcess]) -> None:
    leader, standby = pair
    stage.connect()
    names = [f"set-{number}" for number in range(SETS)]
    apply(stage, *names)
    until(lambda: stage.left()["models"] > 0, poll=0.02)
    leader.server.pause()
    try:
        until(lambda: leads(stage, standby), seconds=SECONDS, told=lambda: lease(stage))
        check_one_each(stage, *names)
    finally:
        leader.server.resume()
    until(lambda: not leader.server.is_running(), seconds=SECONDS)
    assert "the Lease" in leader.log_file.read_text()
    check_one_each(stage, *names)
    stage.kube.delete_all()
    stage.until_nothing_is_left()


@pytest.mark.exhaustive
def test_a_leader_that_is_stopped_gives_the_lease_back(stage: Stage, pair: list[OperatorProcess]) -> None:
    leader, standby = pair
    stage.connect()
    transitions = lease(stage)["leaseTransitions"]
    leader.stop()
    left = lease(stage)
    assert left["holderIdentity"] == "" or leads(stage, standby)
    until(lambda: leads(stage, standby), seconds=SECONDS, told=lambda: lease(stage))
    assert lease(stage)["leaseTransitions"] == transitions + 1
    stage.perform("first")
    stage.kube.delete_all()
    stage.until_nothing_is_left()
