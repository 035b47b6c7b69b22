"""Pods that are killed, replaced, rolled over and doubled, and a node whose power is cut: nothing is lost."""

from __future__ import annotations

import pytest

from delivery.chart import NAME, PRESETS
from support.live_kube import Document
from support.live_load import Load
from support.live_stage import Stage
from support.live_waiting import until
from support.node_release import SELECTOR, SETTINGS, Release, restarts

pytestmark = pytest.mark.exhaustive

NAMES = ("first", "second", "third")
SECONDS = 120.0


@pytest.fixture(scope="module", autouse=True)
def installed(release: Release) -> None:
    release.install(SETTINGS)


def identities(stage: Stage) -> dict[str, str]:
    """Return the ids that the models' status names."""
    return {each["metadata"]["name"]: each["status"].get("id", "") for each in stage.kube.list("RemoteModel")}


def users(connection: Document) -> int:
    """Return how many models a connection has counted."""
    count: int = connection["status"].get("usedBy", {}).get("models", 0)
    return count


def apply(stage: Stage, names: tuple[str, ...] = NAMES) -> None:
    stage.kube.apply(*(document for name in names for document in stage.sets.one_set(name)))


def bring_up(stage: Stage) -> dict[str, str]:
    stage.connect()
    apply(stage)
    return {name: stage.ready(name) for name in NAMES}


def check_one_each(stage: Stage, names: tuple[str, ...] = NAMES) -> None:
    for name in names:
        stage.ready(name, seconds=SECONDS)
    assert set(identities(stage).values()) == set(stage.remote.find("models", stage.kube.namespace))
    until(lambda: set(stage.left().values()) == {len(names)}, seconds=10, told=stage.left)


def test_a_container_that_is_killed_at_work_takes_it_up_again(release: Release, stage: Stage) -> None:
    stage.connect()
    pod = release.pod()
    before = restarts(pod)
    apply(stage)
    until(lambda: stage.left()["models"] > 0, poll=0.02)
    release.kill_container(pod)
    check_one_each(stage)
    again = release.pod()
    assert again["metadata"]["name"] == pod["metadata"]["name"]
    assert restarts(again) == before + 1


def test_a_pod_that_is_replaced_at_rest_writes_nothing(release: Release, stage: Stage) -> None:
    models = bring_up(stage)
    # The last write of the bringing up: the connection counts who uses it at its next look.
    stage.kube.until("OpenSearchConnection", "main", lambda found: users(found) == len(NAMES))
    versions = stage.kube.versions()
    pod = release.pod()
    release.kubectl("delete", "pod", pod["metadata"]["name"])
    assert release.pod()["metadata"]["uid"] != pod["metadata"]["uid"]
    stage.kube.touch("RemoteModel", NAMES[0], "after the replacement")
    stage.kube.until("RemoteModel", NAMES[0], lambda found: "after the replacement" in str(found["status"]))
    assert identities(stage) == models
    now = stage.kube.versions()
    assert {key for key in now if now[key] != versions[key]} == {("RemoteModel", NAMES[0])}


def test_a_pod_that_is_stopped_while_it_starts_goes_at_once(release: Release) -> None:
    grace = release.pod()["spec"]["terminationGracePeriodSeconds"]
    release.kubectl("delete", "pod", SELECTOR, "--wait=false")
    starting = until(release.started, seconds=60, poll=0.01)
    release.kubectl("delete", "pod", starting, "--wait=false")
    until(lambda: starting not in release.names(), seconds=grace / 2, told=release.names)


def test_a_rolling_restart_at_work_fails_no_prediction(release: Release, stage: Stage) -> None:
    models = bring_up(stage)
    load = Load(stage, models[NAMES[0]], per_second=10)
    later = ("fourth", "fifth")
    with load.running():
        apply(stage, later)
        release.kubectl("rollout", "restart", f"deployment/{NAME}")
        release.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
        check_one_each(stage, (*NAMES, *later))
    assert len(load.statuses) > 10
    assert set(load.statuses) == {200}
    assert identities(stage).items() >= models.items()


def test_of_two_replicas_the_other_goes_on(release: Release, stage: Stage) -> None:
    release.install({**SETTINGS, **PRESETS["ha"]})
    try:
        pods = until(lambda: release.all_ready(2), seconds=60, told=release.pods)
        models = bring_up(stage)
        leader = until(release.leader, seconds=30)
        release.kill_container(next(pod for pod in pods if pod["metadata"]["name"] == leader))
        until(lambda: release.leader() not in {leader, ""}, seconds=60, told=release.lease)
        apply(stage, ("fourth",))
        check_one_each(stage, (*NAMES, "fourth"))

        second = release.leader()
        release.kubectl("delete", "pod", second)
        until(lambda: release.leader() not in {second, ""}, seconds=60, told=release.lease)
        check_one_each(stage, (*NAMES, "fourth"))
        assert identities(stage).items() >= models.items()
    finally:
        release.install(SETTINGS)


def test_a_node_that_lost_its_power_comes_back(release: Release, stage: Stage) -> None:
    models = bring_up(stage)
    before = restarts(release.pod())
    release.node.restart()
    until(lambda: restarts(release.pod()) > before, seconds=60, told=release.pods)
    apply(stage, ("fourth",))
    check_one_each(stage, (*NAMES, "fourth"))
    assert identities(stage).items() >= models.items()
