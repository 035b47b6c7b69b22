"""A model at rest costs next to nothing, until it or anything that it refers to is another."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.snapshot import ObjectKey
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, ready
from unit.reconcilers.driving import LITTLE, Driver
from unit.reconcilers.model.remote_model import respec

PROBE: dict[str, Any] = {"interval": "10m", "request": {"parameters": {"input": "ping"}}}


async def test_a_run_that_finds_everything_as_it_was_is_short(
    resting: Driver, cluster: MemoryOpenSearch
) -> None:
    before = cluster.count("observe_model")
    assert await resting.calls() < LITTLE
    assert cluster.count("observe_model") == before + 1, "it looks all the same"


async def test_another_connector_is_followed(resting: Driver, cluster: MemoryOpenSearch) -> None:
    new = cluster.put("connector", {"name": "embeddings", "description": ""})
    resting.stage.store.change(ObjectKey("MLConnector", NAMESPACE, "embeddings"), status=ready(id=new))
    await resting.rest()
    assert resting.status["connectorID"] == new


async def test_a_connector_that_changes_during_a_run_is_followed_by_the_next(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    connector = ObjectKey("MLConnector", NAMESPACE, "embeddings")
    new = cluster.put("connector", {"name": "embeddings", "description": ""})
    cluster.meanwhile["observe_model"] = lambda: driver.stage.store.change(connector, status=ready(id=new))
    await driver.rest()
    assert not cluster.meanwhile
    await driver.rest()
    assert driver.status["connectorID"] == new


async def test_a_model_that_is_down_in_opensearch_is_deployed_anew(
    resting: Driver, cluster: MemoryOpenSearch
) -> None:
    id_ = resting.status["id"]
    cluster.docs["model"][id_]["model_state"] = "UNDEPLOYED"
    await resting.rest()
    assert cluster.docs["model"][id_]["model_state"] == "DEPLOYED"


@pytest.mark.parametrize(
    "spec",
    [{"probe": PROBE}, {"exportID": {"kind": "ConfigMap", "name": "ids", "key": "model"}}, {"suspend": True}],
    ids=["probe", "export", "suspend"],
)
async def test_who_has_more_to_look_at_does_so_each_time(resting: Driver, spec: dict[str, Any]) -> None:
    respec(resting, **spec)
    for _ in range(5):
        await resting.once()
    assert await resting.calls() > LITTLE
