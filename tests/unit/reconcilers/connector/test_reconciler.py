"""One MLConnector: revisions, credentials, ids with a hyphen, drift, and what is kept for how long."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, StatusConflictError
from opensearch_ml_operator.reconcilers.connector.reconciler import ConnectorReconciler
from opensearch_ml_operator.reconcilers.ports import SecretData
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE
from unit.reconcilers.connector.one_connector import KEY, respec, use
from unit.reconcilers.driving import Driver


async def test_created_once_and_then_left_alone(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    writes = len(driver.stage.store.writes)
    await driver.spend(6000)

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert list(cluster.docs["connector"]) == [driver.status["id"]]
    assert len(driver.stage.store.writes) == writes


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"credentials": [{"name": "key", "secretKeyRef": {"name": "keys", "key": "b"}}]}, id="key"
        ),
        pytest.param(
            {"credentials": [{"name": "token", "secretKeyRef": {"name": "keys", "key": "a"}}]}, id="name"
        ),
        pytest.param({"credentials": [{"name": "key", "value": "arn:aws:iam::1:role/x"}]}, id="value"),
        pytest.param({"credentials": []}, id="removed"),
        pytest.param({"parameters": {"model": "m"}}, id="parameters"),
    ],
)
async def test_every_change_of_a_connector_in_use_makes_a_new_revision(
    driver: Driver, cluster: MemoryOpenSearch, changes: dict[str, Any]
) -> None:
    await driver.rest()
    use(driver)
    first = driver.status["id"]
    respec(driver, **changes)
    await driver.rest()

    assert driver.status["revision"] == 2
    assert [each["id"] for each in driver.status["previous"]] == [first]
    assert cluster.count("create_connector") == 2


async def test_new_bytes_in_the_secret_make_a_new_revision(driver: Driver) -> None:
    await driver.rest()
    use(driver)
    driver.stage.secrets.secrets[NAMESPACE, "keys"] = SecretData("uid/2", {"a": b"third"})
    await driver.rest()

    assert driver.status["revision"] == 2
    assert "CredentialsRotated" in driver.stage.events.reasons


# Revisions


async def test_an_old_revision_goes_when_its_time_is_over(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    use(driver)
    respec(driver, parameters={"model": "m"})
    await driver.rest()
    await driver.spend(599)
    assert len(cluster.docs["connector"]) == 2
    await driver.spend(30)
    assert list(cluster.docs["connector"]) == [driver.status["id"]]


async def test_an_overdue_revision_in_use_is_not_asked_about_all_the_time(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    use(driver, connectorID=driver.status["id"])
    respec(driver, parameters={"model": "m"})
    await driver.rest()
    await driver.spend(700)
    calls = len(cluster.calls)
    await driver.spend(3000)

    assert len(cluster.docs["connector"]) == 2
    assert len(cluster.calls) - calls < 30


async def test_no_revision_is_forgotten_however_often_the_spec_changes(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    use(driver)
    for number in range(30):
        respec(driver, parameters={"model": str(number)})
        await driver.once()
    known = {driver.status["id"], *(each["id"] for each in driver.status["previous"])}
    assert known == set(cluster.docs["connector"])
    assert driver.condition("Synced") == ("False", "Swapping")

    await driver.rest()
    newest = cluster.docs["connector"][driver.status["id"]]
    assert newest["parameters"] == {"model": "29"}
    await driver.spend(1500)
    assert list(cluster.docs["connector"]) == [driver.status["id"]]


async def test_a_lost_connector_is_replaced_although_many_earlier_ones_are_kept(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    use(driver)
    for number in range(16):
        respec(driver, parameters={"model": str(number)})
        await driver.once()
    assert len(driver.status["previous"]) == 15
    del cluster.docs["connector"][driver.status["id"]]
    await driver.once()

    assert driver.status["id"] in cluster.docs["connector"]


async def test_what_was_found_from_an_older_spec_is_replaced(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_connector", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_connector", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, parameters={"model": "new"})
    await driver.once()
    assert driver.condition("Ready") == ("False", "Updating")
    await driver.rest()

    assert cluster.docs["connector"][driver.status["id"]]["parameters"] == {"model": "new"}
    assert len(cluster.docs["connector"]) == 1 + len(driver.status["previous"])


# Hyphens


async def test_an_id_with_a_hyphen_is_given_back(driver: Driver, cluster: MemoryOpenSearch) -> None:
    cluster.ids.extend(["a-b", "UlJApJaIBKVxxbJmWp-9", "good"])
    await driver.rest()

    assert driver.status["id"] == "good"
    assert list(cluster.docs["connector"]) == ["good"]
    assert driver.status["revision"] == 1


@pytest.mark.parametrize("place", [0, 2, 7, 8, 15, 19])
async def test_a_hyphen_that_comes_again_or_does_no_harm_is_put_up_with(
    driver: Driver, cluster: MemoryOpenSearch, place: int
) -> None:
    whole = "UlJApJaIBKVxxbJmWpE9"
    cluster.ids.append(f"{whole[:place]}-{whole[place + 1 :]}")
    await driver.rest()

    assert "-" in driver.status["id"]
    assert cluster.count("create_connector") == 1


async def test_a_hyphen_in_id_after_id_is_put_up_with_in_the_end(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.ids.extend(f"a-{number}" for number in range(20))
    await driver.rest()

    assert list(cluster.docs["connector"]) == [driver.status["id"]] == ["a-4"]


async def test_two_processes_that_give_an_id_back_at_once_make_one_connector(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    """The second finds what the first has made and, as it has a hyphen, gives it back too."""
    second = Driver(driver.stage, ConnectorReconciler(driver.stage.ports("pod-2")), KEY)
    cluster.ids.extend(["a-b", "one", "two"])
    get = cluster.get_connector
    met = False

    async def get_connector(connector_id: str) -> Any:
        nonlocal met
        if not met:
            met = True
            cluster.docs["connector"]["a-b"] = removed
            await second.rest()
        return await get(connector_id)

    delete = cluster.delete_connector
    removed: dict[str, Any] = {}

    async def delete_connector(connector_id: str) -> None:
        removed.update(cluster.docs["connector"].get(connector_id, {}))
        await delete(connector_id)

    cluster.get_connector = get_connector  # type: ignore[method-assign]
    cluster.delete_connector = delete_connector  # type: ignore[method-assign]
    with pytest.raises(StatusConflictError):
        await driver.once()
    await driver.rest()

    assert list(cluster.docs["connector"]) == [driver.status["id"]]


# Drift


@pytest.mark.parametrize("used", [True, False], ids=["swapped", "in-place"])
async def test_drift_that_comes_back_ends_in_a_condition(
    driver: Driver, cluster: MemoryOpenSearch, *, used: bool
) -> None:
    await driver.rest()
    if used:
        use(driver)
    for _ in range(6):
        cluster.show("connector", driver.status["id"], name="vandalised")
        driver.stage.clock.seconds += 60
        await driver.rest()

    assert cluster.count("create_connector", "update_connector") == 1 + 3
    assert cluster.count("update_connector") == (0 if used else 3)
    assert driver.condition("Synced") == ("False", "DriftLoop")


async def test_corrections_that_fail_are_no_drift_loop(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    use(driver)
    cluster.show("connector", driver.status["id"], name="vandalised")
    for _ in range(10):
        cluster.fail("create_connector", MLCode.LIMIT)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.count("create_connector") == 12


# Deletion


async def test_deletion_leaves_no_revision_behind(driver: Driver, cluster: MemoryOpenSearch) -> None:
    use(driver)
    for number in range(3):
        respec(driver, parameters={"model": str(number)})
        await driver.once()
    assert len(cluster.docs["connector"]) == 3
    driver.stage.links.clear()
    driver.delete()

    assert (await driver.rest()).finalized
    assert cluster.docs["connector"] == {}


@pytest.mark.parametrize("connector_id", ["connector1", "another"], ids=["user", "stranger"])
async def test_who_holds_a_connector_is_told_from_who_does_not(
    driver: Driver, cluster: MemoryOpenSearch, connector_id: str
) -> None:
    await driver.rest()
    model = cluster.put("model", {"connector_id": connector_id, "model_state": "DEPLOYED"})
    if connector_id == "another":
        cluster.fail("delete_connector", MLCode.IN_USE, error={"ids": (model,)})
    driver.stage.clock.seconds += 10
    driver.delete()
    driver.stage.clock.seconds += 10
    await driver.once()

    reason = "UsedByModels" if connector_id == "connector1" else "FalseConflict"
    assert driver.condition("Deletable") == ("False", reason)
    assert model in driver.message("Deletable")
    cluster.docs["model"].clear()
    assert (await driver.rest()).finalized


async def test_a_new_object_is_created_without_a_search(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()

    assert cluster.count("search_connector") == 0
