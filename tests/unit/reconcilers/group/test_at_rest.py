"""A group at rest costs next to nothing, until anything that it was judged by is another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.group.reconciler import GroupReconciler
from opensearch_ml_operator.reconcilers.ports import ServerInfo
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage
from unit.reconcilers.driving import LITTLE, Driver

KEY = ObjectKey("MLModelGroup", NAMESPACE, "one")
CONNECTION = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
MODEL = ObjectKey("RemoteModel", NAMESPACE, "user")
FOUND = ServerInfo("3.6.0", "opensearch", "memory", "uuid", (), private_addresses_allowed=False)


@pytest.fixture
async def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    stage.labels[NAMESPACE] = {}
    stage.add("MLModelGroup", "one", spec={"connectionRef": {"name": "main"}})
    driver = Driver(stage, GroupReconciler(stage.ports()), KEY)
    await driver.rest()
    outcome = await driver.rest()
    assert await driver.once() == outcome
    assert cluster.count("create_group") == 1
    return driver


async def test_a_run_that_finds_everything_as_it_was_is_short(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    before = cluster.count("observe_group")
    assert await driver.calls() < LITTLE
    assert cluster.count("observe_group") == before + 1, "it looks all the same"


@pytest.mark.parametrize(
    "change",
    [
        lambda stage: stage.store.change(KEY, annotations={"somebody": "was here"}),
        lambda stage: stage.store.change(CONNECTION, status={**stage.store.objects[CONNECTION].status}),
        lambda stage: stage.labels.update({NAMESPACE: {"team": "search"}}),
        lambda stage: stage.links.update({KEY: (MODEL,)}),
        lambda stage: stage.pool.report(CONNECTION, FOUND),
        lambda stage: stage.pool.unavailable.add(CONNECTION),
    ],
    ids=["object", "connection", "labels", "users", "private addresses", "availability"],
)
async def test_whatever_changes_leads_to_a_whole_run(
    driver: Driver, change: Callable[[Stage], object]
) -> None:
    change(driver.stage)
    assert await driver.calls() > LITTLE


async def test_a_changed_document_is_put_back(driver: Driver, cluster: MemoryOpenSearch) -> None:
    id_ = driver.status["id"]
    cluster.docs["group"][id_] = {**cluster.docs["group"][id_], "description": "by hand"}
    await driver.rest()
    assert cluster.docs["group"][id_]["description"] != "by hand"


async def test_a_document_that_cannot_be_read_is_shown(driver: Driver, cluster: MemoryOpenSearch) -> None:
    cluster.fail("observe_group", MLCode.FORBIDDEN)
    cluster.fail("observe_group", MLCode.FORBIDDEN)
    await driver.once()
    assert driver.condition("Ready")[0] == "False"


async def test_a_run_that_has_written_is_made_once_more(driver: Driver) -> None:
    driver.stage.store.change(KEY, spec=dict(driver.snapshot.spec))
    await driver.once()
    assert driver.status["observedGeneration"] == driver.snapshot.generation == 2
    assert await driver.calls() > LITTLE
    assert await driver.calls() < LITTLE
