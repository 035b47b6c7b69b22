"""Changes of a connector that nobody uses are made in place, whatever is spoiled or killed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from support import traps
from support.eventually import eventually
from support.scene import CONNECTORS, MODELS, Scene
from support.traps import When

from .test_faults import FAULTS, crash_in

CHANGED: Mapping[str, Any] = {"parameters": {"model": "large"}}


async def unused(world: Scene, **spec: Any) -> str:
    """Create a connector that no model refers to, and return its id."""
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.connector(**spec)
    await world.ready()
    ((id_, _),) = world.ml.connectors.items()
    return id_


async def changed(world: Scene, id_: str, token: str) -> None:
    """Wait until the one connector is as it should be, and at rest."""
    await world.ready()
    await world.quiet()
    assert list(world.ml.connectors) == [id_] == [world.status(CONNECTORS, "connector")["id"]]
    assert world.ml.connectors[id_]["parameters"] == {"model": "large"}
    assert world.ml.connectors[id_]["credential"] == {"token": token}


def change(world: Scene) -> None:
    """Change a parameter and the credential."""
    world.secret("key", token="the-next-value")
    world.edit(CONNECTORS, "connector", **CHANGED)


async def test_a_connector_that_nobody_uses_keeps_its_id(world: Scene) -> None:
    id_ = await unused(world)
    writes = world.writes()[CONNECTORS]
    change(world)
    await eventually(lambda: world.ml.connectors[id_]["parameters"] == {"model": "large"})
    await changed(world, id_, "the-next-value")
    assert world.writes()[CONNECTORS] == writes + 1
    assert world.ml.count("update-connector") == 1


async def test_a_new_secret_alone_is_sent_too(world: Scene) -> None:
    id_ = await unused(world, **CHANGED)
    world.secret("key", token="the-next-value")
    world.look_again(CONNECTORS, "connector")
    await eventually(lambda: world.ml.connectors[id_]["credential"] == {"token": "the-next-value"})
    await changed(world, id_, "the-next-value")


async def test_a_removed_parameter_is_really_gone(world: Scene) -> None:
    first = await unused(world, parameters={"model": "large", "size": "3"}, update={"keepOldFor": "0s"})
    world.edit(CONNECTORS, "connector", parameters={"size": None})
    await eventually(lambda: first not in world.ml.connectors)
    ((second, document),) = world.ml.connectors.items()
    assert document["parameters"] == {"model": "large"}
    await changed(world, second, "value-of-the-credential")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_spoiled_change_in_place(world: Scene, fault: str) -> None:
    id_ = await unused(world)
    world.ml.fail("update-connector", **FAULTS[fault])
    change(world)
    await eventually(lambda: world.ml.count("update-connector") >= 2)
    await changed(world, id_, "the-next-value")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_a_change_in_place(world: Scene, when: When) -> None:
    id_ = await unused(world)
    trap = traps.set_for_opensearch(world.ml, "update-connector", when=when)
    change(world)
    await crash_in(world, trap)
    await changed(world, id_, "the-next-value")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_its_record(world: Scene, when: When) -> None:
    id_ = await unused(world)
    trap = traps.set_for_kube(world.kube, resource=CONNECTORS, subresource="status", occurrence=1, when=when)
    change(world)
    await crash_in(world, trap)
    await changed(world, id_, "the-next-value")


async def test_in_place_only_waits_until_the_model_is_down(world: Scene) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"strategy": "InPlaceOnly"})
    await world.ready()
    ((id_, _),) = world.ml.connectors.items()
    change(world)
    condition = await world.becomes(CONNECTORS, "connector", "Synced", "Rejected")
    assert "models are still using this connector" in condition["message"]
    assert world.is_ready(MODELS, "model")
    world.edit(MODELS, "model", deploy=False)
    await eventually(lambda: world.ml.connectors[id_]["parameters"] == {"model": "large"})
    await changed(world, id_, "the-next-value")
    world.edit(MODELS, "model", deploy=True)
    await world.ready()
    world.check_one_each()


@pytest.mark.parametrize("before", [False, True], ids=["never deployed", "undeployed"])
async def test_in_place_only_is_not_stopped_by_a_model_that_the_server_only_remembers(
    world: Scene, *, before: bool
) -> None:
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.group()
    world.connector(update={"strategy": "InPlaceOnly"})
    world.model(deploy=before)
    await world.ready()
    world.edit(MODELS, "model", deploy=False)
    await world.ready()
    await world.quiet()
    ((id_, _),), (model,) = world.ml.connectors.items(), world.ml.models
    words = f"1 models are still using this connector, please undeploy the models first: [{model}]"
    world.ml.fail("update-connector", status=400, reason=words)
    undeployed = world.ml.count("undeploy-model")
    change(world)
    await changed(world, id_, "the-next-value")
    assert world.ml.count("undeploy-model") == undeployed + 1
    assert not world.ml.cluster.loaded


@pytest.mark.parametrize(
    "change",
    [
        {"description": "For the harbour."},
        {"rateLimiter": {"limit": 5, "unit": "MINUTES"}},
        {"guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["secret"]}}},
        {"interface": {"input": "{}"}},
        {"enabled": False},
        {"deploySetting": {"autoDeployEnabled": False}},
        {"modelGroupRef": {"name": "another"}},
        {"connectorRef": {"name": "another"}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_model_is_changed_in_place_while_it_is_deployed(
    world: Scene, change: Mapping[str, Any]
) -> None:
    world.everything()
    world.group("another")
    world.connector("another")
    await world.ready()
    before = dict(world.ml.models)
    world.edit(MODELS, "model", **change)
    await eventually(lambda: world.ml.count("update-model") >= 1)
    await world.ready()
    await world.quiet()
    assert world.ml.models.keys() == before.keys()
    assert world.ml.count("update-model") == 1
    assert world.ml.count("deploy-model", "undeploy-model") == 1
    assert world.ml.cluster.loaded.keys() == before.keys()


async def test_an_interface_is_taken_back(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", interface={"input": '{"type": "object"}', "output": '{"type": "array"}'})
    await world.ready()
    (model,) = world.ml.models.values()
    world.edit(MODELS, "model", interface={"output": '{"type": "array"}', "input": None})
    await eventually(lambda: model["interface"] == {"input": "{}", "output": '{"type": "array"}'})
    await world.ready()
    world.edit(MODELS, "model", interface=None)
    await eventually(lambda: model["interface"] == {"input": "{}", "output": "{}"})
    await world.ready()
    await world.quiet()
    assert world.ml.count("update-model") == 2
    assert world.ml.count("deploy-model", "undeploy-model") == 1


async def test_a_model_is_undeployed_and_deployed_with_the_same_id(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((id_, _),) = world.ml.models.items()
    world.edit(MODELS, "model", deploy=False)
    await eventually(lambda: not world.ml.cluster.loaded)
    await world.ready()
    world.edit(MODELS, "model", deploy=True)
    await eventually(lambda: list(world.ml.cluster.loaded) == [id_])
    await world.ready()
    world.check_one_each()
