"""An MLConnector whose status was lost: nothing is made twice, nothing in use is given up, nothing stays."""

from __future__ import annotations

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE
from unit.reconcilers.connector.one_connector import KEY, respec, use
from unit.reconcilers.driving import Driver


async def test_a_status_that_was_lost_leaves_one_object(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.rest()

    assert list(cluster.docs["connector"]) == [driver.status["id"]] == [id_]
    assert cluster.count("update_connector") == 0
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_status_that_was_lost_after_many_changes_leaves_one_object(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    use(driver)
    for number in range(12):
        respec(driver, parameters={"model": str(number)}, update={"keepOldFor": "1m"})
        await driver.once()
        driver.stage.clock.seconds += 30
    newest, revision = driver.status["id"], driver.status["revision"]
    assert revision == 12
    assert len(cluster.docs["connector"]) > 1
    driver.stage.store.change(KEY, status={})
    await driver.once()

    assert (driver.status["id"], driver.status["revision"]) == (newest, revision)
    await driver.rest()
    await driver.spend(3600)
    assert list(cluster.docs["connector"]) == [driver.status["id"]]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_lost_status_moves_no_model_to_a_revision_that_was_not_tried(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    used = driver.status["id"]
    use(driver, connectorID=used)
    respec(driver, parameters={"model": "new"})
    await driver.once()
    (newer,) = cluster.docs["connector"].keys() - {used}
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.once()

    assert driver.status["id"] == used
    assert (driver.status["liveRevision"], driver.status["revision"]) == (1, 2)
    assert [each["id"] for each in driver.status["previous"]] == [newer]
    await driver.spend(7200)
    assert used in cluster.docs["connector"]  # the model still uses it
    assert len(cluster.docs["connector"]) == 2


async def test_a_lost_status_leaves_nothing_of_a_trial(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    connector, uid = driver.status["id"], driver.snapshot.uid
    group = cluster.put("group", {"name": "trial", "description": marker(uid, Role.GROUP, 2)})
    cluster.put(
        "model",
        {
            "name": "trial",
            "description": f"Tries a connector. {marker(uid, Role.MODEL, 2)}",
            "connector_id": connector,
            "model_group_id": group,
            "model_state": "DEPLOYED",
        },
    )
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    driver.delete()

    assert (await driver.rest()).finalized
    assert cluster.docs == {"connector": {}, "group": {}, "model": {}}


async def test_a_deletion_with_a_lost_status_leaves_no_revision(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    use(driver)
    for number in range(3):
        respec(driver, parameters={"model": str(number)})
        await driver.once()
    driver.stage.links.clear()
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    driver.delete()
    driver.stage.pool.unavailable.add(ObjectKey("OpenSearchConnection", NAMESPACE, "main"))
    assert not (await driver.rest()).finalized  # the cluster is away, and nothing else can know
    assert driver.condition("Deletable") == ("False", "ConnectionUnavailable")
    driver.stage.pool.unavailable.clear()

    assert (await driver.rest()).finalized
    assert cluster.docs["connector"] == {}


async def test_a_connector_that_was_never_made_goes_without_its_connection(driver: Driver) -> None:
    respec(driver, connectionRef={"name": "nowhere"})
    await driver.rest()
    driver.stage.clock.seconds += 3600
    driver.delete()

    assert (await driver.once()).finalized


async def test_a_connector_that_nobody_has_come_to_goes_when_its_connection_is_gone(driver: Driver) -> None:
    driver.stage.clock.seconds += 3600
    driver.delete()
    del driver.stage.store.objects[ObjectKey("OpenSearchConnection", NAMESPACE, "main")]

    assert (await driver.once()).finalized
