"""A connector that was adopted: changed in place or not at all, and before any model is deployed on it."""

from __future__ import annotations

from typing import Any

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, Scene

from .test_adoption import abandoned, adopt
from .test_holding import paths


async def test_an_adopted_connector_is_changed_in_place_or_not_at_all(world: Scene) -> None:
    ids = await abandoned(world)
    del world.ml.models[ids["model"]]
    connector = world.ml.connectors[ids["connector"]]
    connector["credential"] = {"token": "somebody's"}
    world.connector("mine", description="Mine", **adopt("id", ids["connector"], ""))
    await world.ready()
    assert (connector["name"], connector["description"]) == ("connector", "Mine")
    assert connector["credential"] == {"token": "value-of-the-credential"}
    world.secret("key", token="the-next-value")
    world.look_again(CONNECTORS, "mine")
    await eventually(lambda: connector["credential"] == {"token": "the-next-value"})
    await world.ready()
    connector["version"] = "7"
    world.look_again(CONNECTORS, "mine")
    await eventually(lambda: connector["version"] == "1")
    await world.ready()

    for spec, path in (
        ({"parameters": {"model": None, "size": 1}}, "parameters.model"),
        ({"protocol": "aws_sigv4"}, "protocol"),
    ):
        world.edit(CONNECTORS, "mine", **spec)
        condition = await world.becomes(CONNECTORS, "mine", "Synced", "Rejected")
        await eventually(lambda: path in world.condition(CONNECTORS, "mine", "Synced")["message"])  # noqa: B023
        assert path in paths(world, CONNECTORS, "mine")
        assert "not replaced" in condition["message"]
    assert world.ml.count("create-connector") == 0
    assert list(world.ml.connectors) == [ids["connector"]]


@pytest.mark.parametrize("fault", [{"cut": True, "carried_out": True}, {"status": 500}])
async def test_a_change_in_place_without_an_answer_is_made_again(world: Scene, fault: dict[str, Any]) -> None:
    ids = await abandoned(world)
    del world.ml.models[ids["model"]]
    world.ml.fail("update-connector", **fault)
    world.connector("mine", parameters={"model": "large"}, **adopt("id", ids["connector"], ""))
    await world.ready()
    assert world.ml.connectors[ids["connector"]]["parameters"] == {"model": "large"}
    assert list(world.ml.connectors) == [ids["connector"]]


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
async def test_no_model_is_deployed_on_a_connector_whose_first_change_is_still_refused(
    world: Scene, status: int
) -> None:
    ids = await abandoned(world)
    del world.ml.models[ids["model"]]
    world.ml.fail("update-connector", times=2, status=status)
    world.connector("mine", parameters={"model": "large"}, **adopt("id", ids["connector"], ""))
    world.model("model", connectorRef={"name": "mine"}, modelGroupRef=None)
    await world.ready()
    assert world.ml.connectors[ids["connector"]]["parameters"] == {"model": "large"}
