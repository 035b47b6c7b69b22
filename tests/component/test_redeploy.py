"""The strategy Redeploy: models go down, the connector is changed, models come up; all keep their ids."""

from __future__ import annotations

import pytest

from support import traps
from support.eventually import eventually
from support.fake_mlcommons.cluster import Call
from support.scene import CONNECTORS, MODELS, Scene
from support.traps import When

from .test_adoption import abandoned, adopt
from .test_faults import FAULTS, crash_in

IN_USE = (
    '{"error": {"reason": "1 models are still using this connector, please undeploy the models first: [ID]"}}'
)
NEXT = "the-next-value"
STEPS = ("update-connector", "update-model", "undeploy-model", "deploy-model")


async def in_use(world: Scene) -> tuple[str, str]:
    """Create everything; return the ids of connector and model."""
    world.everything()
    world.edit(CONNECTORS, "connector", update={"strategy": "Redeploy"})
    await world.ready()
    await world.quiet()
    (connector,), (model,) = world.ml.connectors, world.ml.models
    return connector, model


def change(world: Scene) -> None:
    """Change a parameter and the credential."""
    world.secret("key", token=NEXT)
    world.edit(CONNECTORS, "connector", parameters={"model": "large"})


async def changed(world: Scene, connector: str, *models: str) -> None:
    """Wait until all is as it should be, with the same ids as before."""
    await eventually(lambda: world.ml.connectors[connector]["parameters"] == {"model": "large"}, seconds=30)
    await eventually(lambda: world.ml.cluster.loaded.keys() == set(models), seconds=30)
    await world.ready(seconds=30)
    await world.quiet(seconds=20)
    assert list(world.ml.connectors) == [connector]
    assert world.ml.connectors[connector]["credential"] == {"token": NEXT}
    assert world.ml.models.keys() == set(models)
    for model in world.ml.models.values():
        assert model["deploy_setting"]["is_auto_deploy_enabled"] is True
    assert "modelsHeldSince" not in world.status(CONNECTORS, "connector")


async def test_all_keep_their_ids(world: Scene) -> None:
    connector, model = await in_use(world)
    writes = world.writes()
    change(world)
    await changed(world, connector, model)
    world.check_one_each()
    assert world.ml.count("undeploy-model") == 1
    assert world.ml.count("deploy-model") == 2
    assert world.writes()[CONNECTORS] <= writes[CONNECTORS] + 3
    assert "healing" not in world.status(MODELS, "model")


async def test_what_a_node_still_holds_is_unloaded_before_it_comes_up(world: Scene) -> None:
    connector, model = await in_use(world)

    async def hold_on(call: Call, status: int, _: object) -> None:
        if call.operation == "update-connector" and status == 200:
            world.ml.cluster.loaded[model] = connector  # and the document says UNDEPLOYED

    world.ml.after = hold_on
    change(world)
    await changed(world, connector, model)
    told = ("update-connector", "undeploy-model", "deploy-model")
    order = [call.operation for call in world.ml.requests if call.operation in told]
    assert order[-3:] == ["update-connector", "undeploy-model", "deploy-model"]


async def test_a_node_that_holds_it_although_it_is_undeployed_does_not_stop_the_change(world: Scene) -> None:
    connector, model = await in_use(world)
    refused = {"status": 400, "body": IN_USE.replace("ID", model)}
    world.ml.fail("update-connector", times=2, **refused)

    async def hold_on(call: Call, status: int, _: object) -> None:
        if call.operation == "undeploy-model" and status == 200 and world.ml.count("undeploy-model") == 1:
            world.ml.cluster.loaded[model] = connector

    world.ml.after = hold_on
    change(world)
    await changed(world, connector, model)
    assert world.ml.count("undeploy-model") >= 2


async def test_an_undeploy_that_overtakes_the_deploy_does_not_stop_the_change(world: Scene) -> None:
    """The document ends in DEPLOY_FAILED; a node takes the model for a user until it is undeployed again."""
    connector, model = await in_use(world)

    async def refuse(call: Call) -> None:
        if call.operation == "get-connector" and world.ml.count("undeploy-model") == 1:
            world.ml.fail("update-connector", status=400, body=IN_USE.replace("ID", model))

    async def fall_out(call: Call, status: int, _: object) -> None:
        if call.operation == "undeploy-model" and status == 200 and world.ml.count("undeploy-model") == 1:
            world.ml.models[model]["model_state"] = "DEPLOY_FAILED"

    world.ml.before, world.ml.after = refuse, fall_out
    change(world)
    await changed(world, connector, model)
    assert world.ml.count("undeploy-model") >= 2


async def test_a_model_that_the_server_only_remembers_does_not_stop_the_change(world: Scene) -> None:
    connector, model = await in_use(world)

    async def remember(call: Call) -> None:
        """Refuse a change that does not follow an undeploy at once: a call has come in between."""
        (document,) = world.ml.models.values()
        if call.operation == "get-connector" and document["model_state"] == "UNDEPLOYED":
            world.ml.fail("update-connector", status=400, body=IN_USE.replace("ID", model))

    world.ml.before = remember
    change(world)
    await changed(world, connector, model)
    assert world.ml.count("undeploy-model") == 2


async def test_several_models_and_one_that_is_to_stay_undeployed(world: Scene) -> None:
    connector, model = await in_use(world)
    world.model("second")
    world.model("down", deploy=False)
    await eventually(lambda: len(world.ml.models) == 3)
    await world.ready()
    up = set(world.ml.cluster.loaded)
    change(world)
    await eventually(lambda: world.ml.connectors[connector]["parameters"] == {"model": "large"}, seconds=20)
    await eventually(lambda: set(world.ml.cluster.loaded) == up, seconds=20)
    await world.ready()
    assert model in up
    assert len(up) == 2


async def test_models_that_only_seem_to_use_an_adopted_connector_are_named(world: Scene) -> None:
    ids = await abandoned(world)
    world.connector("mine", **adopt("id", ids["connector"], ""))
    await world.ready()
    world.ml.models[ids["model"]]["connector_id"] = "another"
    world.ml.fail("update-connector", status=400, body=IN_USE.replace("ID", ids["model"]))
    world.edit(CONNECTORS, "mine", description="Mine")
    condition = await world.becomes(CONNECTORS, "mine", "Synced", "FalseConflict")
    assert ids["model"] in condition["message"]
    await eventually(lambda: world.ml.connectors[ids["connector"]]["description"] == "Mine")
    await world.ready()


async def test_models_stay_up_when_one_of_them_may_not_be_undeployed(world: Scene) -> None:
    connector, model = await in_use(world)
    document = {**world.ml.models[model], "name": "foreign", "description": "somebody else's"}
    world.ml.cluster.models.put("foreign1", document)
    world.ml.cluster.loaded["foreign1"] = connector
    change(world)
    condition = await world.becomes(CONNECTORS, "connector", "Synced", "UsedByModels")
    assert "foreign1" in condition["message"]
    await world.quiet()
    assert set(world.ml.cluster.loaded) == {model, "foreign1"}
    assert world.is_ready(MODELS, "model")

    del world.ml.cluster.loaded["foreign1"]
    world.look_again(CONNECTORS, "connector")
    await eventually(lambda: world.ml.connectors[connector]["parameters"] == {"model": "large"}, seconds=20)
    await world.ready()


async def test_a_change_that_is_taken_back_brings_the_models_up_again(world: Scene) -> None:
    connector, model = await in_use(world)
    hold = world.ml.hold("undeploy-model")
    world.edit(CONNECTORS, "connector", parameters={"model": "large"})
    await eventually(hold.arrived.is_set)
    world.edit(CONNECTORS, "connector", parameters={"model": "small"})
    await eventually(lambda: "modelsHeldSince" not in world.status(CONNECTORS, "connector"))
    hold.release()
    await eventually(hold.done.is_set)
    await eventually(lambda: list(world.ml.cluster.loaded) == [model], seconds=20)
    await world.ready()
    await world.quiet()
    world.check_one_each()
    assert world.ml.connectors[connector]["parameters"] == {"model": "small"}


async def test_deletion_in_the_middle_leaves_nothing(world: Scene) -> None:
    await in_use(world)
    hold = world.ml.hold("undeploy-model")
    change(world)
    await eventually(hold.arrived.is_set)
    world.delete_everything()
    hold.release()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_another_strategy_lets_the_models_go(world: Scene) -> None:
    connector, model = await in_use(world)
    hold = world.ml.hold("undeploy-model")
    change(world)
    await eventually(hold.arrived.is_set)
    world.edit(CONNECTORS, "connector", update={"strategy": "Swap", "keepOldFor": "0s"})
    await eventually(lambda: world.status(CONNECTORS, "connector")["id"] != connector)
    hold.release()
    await eventually(lambda: connector not in world.ml.connectors, seconds=20)
    await eventually(lambda: list(world.ml.cluster.loaded) == [model], seconds=20)
    await world.ready()
    await world.quiet()
    world.check_one_each()


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_around_each_step(world: Scene, step: str, when: When) -> None:
    connector, model = await in_use(world)
    trap = traps.set_for_opensearch(world.ml, step, when=when)
    change(world)
    await crash_in(world, trap)
    await changed(world, connector, model)


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "number"), [(CONNECTORS, 1), (CONNECTORS, 2), *((MODELS, n) for n in range(1, 8))]
)
async def test_a_crash_around_each_record(world: Scene, kind: str, number: int, when: When) -> None:
    connector, model = await in_use(world)
    trap = traps.set_for_kube(world.kube, resource=kind, subresource="status", occurrence=number, when=when)
    change(world)
    await crash_in(world, trap)
    await changed(world, connector, model)


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", ["lost answer", "429 with Retry-After"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_spoiled_step(world: Scene, step: str, fault: str) -> None:
    connector, model = await in_use(world)
    world.ml.fail(step, **FAULTS[fault])
    change(world)
    await changed(world, connector, model)
