"""One MLModelGroup from its first run to its deletion, and when it may be deleted."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.group.reconciler import GroupReconciler
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage
from unit.reconcilers.driving import Driver

KEY = ObjectKey("MLModelGroup", NAMESPACE, "one")


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.add("MLModelGroup", "one", spec={"connectionRef": {"name": "main"}})
    return stage


@pytest.fixture
def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    assert not cluster.calls
    return Driver(stage, GroupReconciler(stage.ports()), KEY)


async def test_created_changed_and_deleted(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "description": "words"})
    await driver.rest()
    assert cluster.docs["group"][driver.status["id"]]["description"].startswith("words ")
    driver.delete()
    assert (await driver.rest()).finalized

    assert cluster.docs["group"] == {}
    assert cluster.count("create_group", "update_group") == 2


async def test_what_goes_well_is_no_news(driver: Driver) -> None:
    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.stage.events.posted == []


async def test_trouble_is_told_and_its_end(driver: Driver, cluster: MemoryOpenSearch) -> None:
    cluster.fail("create_group", MLCode.REJECTED)
    await driver.once()
    ((kind, _, _),) = driver.stage.events.posted
    assert kind == "Warning"
    await driver.rest()
    assert [(kind, reason) for kind, reason, _ in driver.stage.events.posted[1:]] == [("Normal", "Ready")]


async def test_a_group_that_was_found_is_compared_before_it_counts(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    await driver.once()
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "name": "newer"})
    await driver.once()
    assert driver.condition("Ready") == ("False", "Updating")
    await driver.rest()

    assert [each["name"] for each in cluster.docs["group"].values()] == ["newer"]


async def test_a_group_with_models_in_it_is_kept_until_they_are_gone(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    cluster.put("model", {"model_group_id": driver.status["id"], "model_state": "DEPLOYED"})
    driver.delete()
    driver.stage.clock.seconds += 10
    await driver.once()
    assert driver.condition("Deletable") == ("False", "UsedByModels")
    cluster.docs["model"].clear()

    assert (await driver.rest()).finalized
    assert cluster.docs["group"] == {}


async def test_deletion_waits_for_a_create_that_may_still_be_carried_out(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS)
    await driver.once()
    driver.delete()
    begun = driver.stage.clock.seconds
    await driver.once()
    assert driver.condition("Deletable") == ("False", "WaitingForUnresolvedCreate")

    assert (await driver.rest()).finalized
    assert driver.stage.clock.seconds - begun >= driver.stage.quiet_period


async def test_a_group_that_waits_for_its_name_leaves_the_gate_when_it_is_deleted(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    stage = driver.stage
    connection = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
    gate = stage.pool.gate(connection, "group")
    other = ObjectKey("MLModelGroup", NAMESPACE, "other")
    assert gate.try_enter(other, "name one")
    await driver.once()
    assert gate.parked == 1
    driver.delete()
    await driver.rest()

    assert gate.parked == 0
    assert cluster.count("create_group") == 0


async def test_a_status_that_was_lost_makes_no_second_object(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.rest()

    assert driver.status["id"] == id_
    assert list(cluster.docs["group"]) == [id_]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_new_object_is_created_without_a_search(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()

    assert cluster.count("search_group") == 0


async def test_a_group_that_nobody_has_come_to_goes_when_its_connection_is_gone(driver: Driver) -> None:
    driver.stage.clock.seconds += 3600
    driver.delete()
    del driver.stage.store.objects[ObjectKey("OpenSearchConnection", NAMESPACE, "main")]

    assert (await driver.once()).finalized


async def test_a_status_that_may_have_been_lost_waits_for_a_connection_that_is_away(driver: Driver) -> None:
    driver.stage.clock.seconds += 3600
    driver.delete()
    driver.stage.pool.unavailable.add(ObjectKey("OpenSearchConnection", NAMESPACE, "main"))
    assert not (await driver.rest()).finalized
    assert driver.condition("Deletable") == ("False", "ConnectionUnavailable")
