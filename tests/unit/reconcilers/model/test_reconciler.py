"""One RemoteModel from its first run to its deletion, with the faults that cost models or money."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import KEY, respec


async def test_registered_and_deployed_once_and_then_left_alone(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    writes = len(driver.stage.store.writes)
    calls = len(cluster.calls)
    await driver.spend(3000)

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["id"] in cluster.docs["model"]
    assert (cluster.count("register_model"), cluster.count("deploy_model")) == (1, 1)
    assert len(driver.stage.store.writes) == writes
    assert set(cluster.calls[calls:]) == {"observe_model"}


# Its own group


async def test_a_group_of_a_users_is_not_deleted_after_it_took_the_place_of_the_own_one(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    await driver.rest()
    own = driver.status["ownedGroupID"]
    respec(driver, modelGroupRef={"name": "group"})
    await driver.rest()
    driver.delete()
    await driver.rest()

    assert list(cluster.docs["group"]) == ["grp1"]
    assert own != "grp1"
    assert cluster.docs["model"] == {}


async def test_what_is_registered_is_no_news_and_what_is_found_is(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("register_model", MLCode.AMBIGUOUS, carried_out=True)
    await driver.rest()
    assert driver.stage.events.reasons == ["Found"]

    driver.stage.events.posted.clear()
    cluster.docs["model"].clear()
    await driver.rest()
    assert driver.stage.events.reasons == ["ExternalIDChanged"]


async def test_an_unresolved_register_is_not_lost_when_the_group_is_taken_out_of_the_spec(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("register_model", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_model", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, modelGroupRef=None)
    await driver.rest()

    assert len(cluster.docs["model"]) == 1
    assert cluster.docs["model"][driver.status["id"]]["model_group_id"] == driver.status["ownedGroupID"]


async def test_an_unresolved_own_group_is_not_lost_when_a_group_comes_into_the_spec(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, modelGroupRef={"name": "group"})
    await driver.rest()
    driver.delete()
    await driver.rest()

    assert list(cluster.docs["group"]) == ["grp1"]


async def test_a_waiting_deploy_is_not_taken_for_the_announcement_of_a_group(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    gate = driver.stage.pool.gate(ObjectKey("OpenSearchConnection", NAMESPACE, "main"), "deploy")
    others = [ObjectKey("RemoteModel", NAMESPACE, f"other{number}") for number in range(4)]
    assert all(gate.try_enter(each, each.name) for each in others)
    await driver.once()
    assert driver.status["pending"]["role"] == "Deploy"
    seen: list[Any] = []
    respec(driver, modelGroupRef=None)
    create = cluster.create_group

    async def create_group(body: Any) -> str:
        seen.append(driver.status["pending"]["role"])
        return await create(body)

    cluster.create_group = create_group  # type: ignore[method-assign]
    for each in others:
        gate.leave(each)
    await driver.rest()

    assert seen == ["Group"]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_model_and_own_group_deleted_behind_our_back_are_both_made_again(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    await driver.rest()
    cluster.docs["model"].clear()
    del cluster.docs["group"][driver.status["ownedGroupID"]]
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["ownedGroupID"] in cluster.docs["group"]
    assert "ExternalIDChanged" in driver.stage.events.reasons


# Connections


async def test_a_model_does_not_move_to_another_cluster(driver: Driver, other: MemoryOpenSearch) -> None:
    await driver.rest()
    respec(driver, connectorRef={"name": "elsewhere"})
    await driver.once()

    assert driver.condition("Ready") == ("False", "ConnectionMismatch")
    assert driver.condition("Stalled") == ("True", "ConnectionMismatch")
    assert other.calls == []


async def test_a_model_is_deleted_from_the_cluster_that_it_was_made_in(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    respec(driver, connectorRef={"name": "elsewhere"})
    driver.delete()
    await driver.rest()

    assert cluster.docs["model"] == {}


@pytest.mark.parametrize("own_group", [False, True], ids=["register", "own-group"])
async def test_an_unresolved_create_is_looked_for_in_the_cluster_that_it_was_sent_to(
    driver: Driver, cluster: MemoryOpenSearch, other: MemoryOpenSearch, *, own_group: bool
) -> None:
    if own_group:
        respec(driver, modelGroupRef=None)
    for call in ("create_group", "register_model"):
        cluster.fail(call, MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    cluster.fail("search_model", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, connectorRef={"name": "elsewhere"}, modelGroupRef=None)
    await driver.once()
    assert driver.condition("Ready") == ("False", "ConnectionMismatch")
    assert other.calls == []

    driver.delete()
    await driver.rest()
    assert cluster.docs["model"] == {}
    assert list(cluster.docs["group"]) == ["grp1"]


async def test_a_refused_create_does_not_bind_a_model_to_a_cluster(
    driver: Driver, cluster: MemoryOpenSearch, other: MemoryOpenSearch
) -> None:
    cluster.fail("register_model", MLCode.REJECTED)
    await driver.once()
    other.ids.append("con2")
    other.put("connector", {"name": "embeddings", "description": ""})
    respec(driver, connectorRef={"name": "elsewhere"}, modelGroupRef=None)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert len(other.docs["model"]) == 1


# Changes in place


async def test_drift_that_comes_back_is_corrected_three_times_and_then_shown(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    for _ in range(10):
        cluster.show("model", driver.status["id"], is_enabled=False)
        driver.stage.clock.seconds += 60
        await driver.rest()

    assert cluster.count("update_model") == 3
    assert driver.condition("Synced") == ("False", "DriftLoop")
    assert "is_enabled" in driver.message("Synced")


async def test_a_drift_loop_is_left_again_after_an_hour(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    for _ in range(4):
        cluster.show("model", driver.status["id"], is_enabled=False)
        await driver.rest()
    assert driver.condition("Synced") == ("False", "DriftLoop")
    driver.stage.clock.seconds += 3601
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_corrections_that_fail_are_no_drift_loop(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    cluster.show("model", driver.status["id"], is_enabled=False)
    for _ in range(10):
        cluster.fail("update_model", MLCode.BUSY)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.count("update_model") == 11


async def test_a_limit_that_cannot_be_taken_away_is_shown(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, rateLimiter={"limit": 4, "unit": "MINUTES"})
    await driver.rest()
    respec(driver, rateLimiter=None)
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert "rate_limiter" in driver.message("Synced")
    assert cluster.docs["model"][driver.status["id"]]["rate_limiter"] == {"limit": "4", "unit": "MINUTES"}


async def test_an_interface_that_is_taken_back_lets_everything_pass(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, interface={"input": "[1]"})
    await driver.rest()
    model = cluster.docs["model"][driver.status["id"]]
    assert driver.status["extraFields"] == ["interface.input"]
    respec(driver, interface=None)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert model["interface"] == {"input": "{}"}
    assert cluster.count("update_model") == 1
    driver.stage.clock.seconds += 600
    await driver.rest()
    assert driver.status.get("extraFields") is None
    assert cluster.count("update_model") == 1


async def test_empty_maps_of_the_spec_settle(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, guardrails={}, interface={})
    await driver.rest()
    for field in ("guardrails", "interface"):
        cluster.docs["model"][driver.status["id"]].pop(field)  # the server leaves out what is empty
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert "update_model" not in cluster.calls


async def test_no_condition_is_older_than_the_generation_that_status_names(driver: Driver) -> None:
    await driver.rest()
    respec(driver, description="another")
    while (await driver.once()).requeue_after == 0:
        generations = {each["observedGeneration"] for each in driver.status["conditions"]}
        assert driver.status["observedGeneration"] == max(generations)
    assert {each["observedGeneration"] for each in driver.status["conditions"]} == {2}


# Deletion


async def test_a_model_that_is_stuck_in_deploying_can_be_deleted(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.deployed_state.append("DEPLOYING")
    await driver.until(lambda _: cluster.count("deploy_model") == 1)
    begun = driver.stage.clock.seconds
    driver.delete()
    outcome = await driver.rest(within=120)

    assert outcome.finalized
    assert cluster.docs["model"] == {}
    assert driver.stage.clock.seconds - begun >= 30


async def test_a_status_that_was_lost_makes_no_second_object(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.rest()

    assert driver.status["id"] == id_
    assert list(cluster.docs["model"]) == [id_]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_deletion_with_a_lost_status_leaves_neither_model_nor_group(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    spec = {key: value for key, value in driver.snapshot.spec.items() if key != "modelGroupRef"}
    driver.stage.store.change(KEY, spec=spec)
    await driver.rest()
    groups = len(cluster.docs["group"])
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    driver.delete()

    assert (await driver.rest()).finalized
    assert cluster.docs["model"] == {}
    assert len(cluster.docs["group"]) == groups - 1


async def test_a_new_object_is_created_without_a_search(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()

    assert cluster.count("search_model") == 0


async def test_nothing_of_the_spec_is_sent_until_the_cluster_is_upgraded(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    before = dict(cluster.docs["model"][driver.status["id"]])
    connection = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
    status = driver.stage.store.objects[connection].status
    driver.stage.store.change(connection, status={**status, "version": "2.13.0"})
    respec(driver, interface={"input": "{}"}, description="changed too")
    await driver.once()

    assert driver.condition("Ready") == ("False", "FieldNotSupported")
    assert "spec.interface needs 2.14" in driver.message("Synced")
    assert cluster.docs["model"][driver.status["id"]] == before
    driver.stage.store.change(connection, status={**status, "version": "2.14.0"})
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.docs["model"][driver.status["id"]]["interface"] == {"input": "{}"}


async def test_a_model_that_nobody_has_come_to_goes_when_no_connection_is_left(driver: Driver) -> None:
    driver.stage.clock.seconds += 3600
    driver.delete()
    spec = {key: value for key, value in driver.snapshot.spec.items() if key != "connectionRef"}
    driver.stage.store.change(KEY, spec={**spec, "connectorRef": {"name": "gone"}})

    assert (await driver.once()).finalized
