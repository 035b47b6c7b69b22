"""A model with a connector of its own, from nothing to Ready, through changes and kills, and back."""

from __future__ import annotations

from typing import Any

import pytest

from support.eventually import eventually
from support.scene import MODELS, Scene, connector_spec

from .conftest import Stage
from .test_holding import FREE, HOLDS, effects, paths

TOKEN = "value-of-the-credential"
NEXT = "value-of-the-next-credential"
FAULTS: dict[str, dict[str, Any]] = {
    "lost answer": {"cut": True, "carried_out": True},
    "cut before": {"cut": True},
    "500": {"status": 500, "carried_out": True},
    "killed": {"hang": True, "carried_out": True},
}


def own(**changes: Any) -> dict[str, Any]:
    spec = connector_spec(**changes)
    del spec["connectionRef"]
    return spec


def everything(world: Scene, **spec: Any) -> None:
    """Create a model with a connector of its own, and what it needs."""
    world.connection()
    world.secret("key", token=TOKEN)
    world.group()
    world.model(connectorRef=None, connectionRef={"name": "main"}, connector=own(), **spec)


def check_one(world: Scene, token: str = TOKEN) -> dict[str, Any]:
    """Assert that there is one model, deployed, that its status names; return its connector."""
    assert list(world.ml.models) == [world.status(MODELS, "model")["id"]]
    assert world.ml.connectors == {}
    ((id_, model),) = world.ml.models.items()
    assert model["model_state"] == "DEPLOYED"
    assert world.ml.cluster.loaded == {id_: id_}
    connector: dict[str, Any] = model["connector"]
    assert connector["credential"] == {"token": token}
    return connector


@pytest.mark.parametrize("version", ["2.19.1", "3.6.0"])
async def test_ready_in_few_writes_and_gone_without_a_trace(stage: Stage, version: str) -> None:
    world = await stage(version=version, speed=20.0)
    world.connection()
    world.secret("key", token=TOKEN)
    world.group()
    await world.ready()
    await world.quiet()
    world.kube.reset_counts()
    world.ml.requests.clear()
    world.model(connectorRef=None, connectionRef={"name": "main"}, connector=own(), resyncInterval="30s")
    await world.ready()
    await world.quiet()
    assert world.writes()[MODELS] <= 5
    assert world.condition(MODELS, "model", "CredentialsResolved")["status"] == "True"
    check_one(world)
    world.kube.reset_counts()
    world.ml.requests.clear()
    await world.operator.restart()
    await eventually(lambda: world.ml.count("search-models") >= 2, seconds=15)
    assert MODELS not in world.writes()
    assert world.ml.count("update-model", "register-model", "deploy-model") == 0
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


async def test_a_change_and_a_new_key_keep_id_and_deployment(world: Scene) -> None:
    everything(world)
    await world.ready()
    ((id_, _),) = world.ml.models.items()
    world.edit(MODELS, "model", connector=own(parameters={"model": "large", "more": 1}))
    await eventually(lambda: world.ml.models[id_]["connector"]["parameters"].get("more") == "1")
    await world.ready()
    assert check_one(world)["parameters"] == {"model": "large", "more": "1"}
    world.secret("key", token=NEXT)
    world.look_again(MODELS, "model")
    await eventually(lambda: world.ml.models[id_]["connector"]["credential"] == {"token": NEXT})
    await world.ready()
    check_one(world, NEXT)
    assert list(world.ml.models) == [id_]
    assert world.ml.count("deploy-model", "undeploy-model") == 1


async def test_a_parameter_that_stays_is_named(world: Scene) -> None:
    everything(world)
    await world.ready()
    world.edit(MODELS, "model", connector={"parameters": None})
    condition = await world.becomes(MODELS, "model", "Synced", "Rejected")
    assert "connector.parameters.model" in condition["message"]
    world.edit(MODELS, "model", connector=own())
    await world.ready()
    check_one(world)


async def test_an_endpoint_that_is_not_trusted_is_named_and_mended(world: Scene) -> None:
    everything(world)
    await world.ready()
    (action,) = own()["actions"]
    bad = {**action, "url": "https://models.invalid/v1"}
    world.edit(MODELS, "model", connector=own(actions=[bad]))
    await world.becomes(MODELS, "model", "Synced", "EndpointNotTrusted")
    check_one(world)
    world.edit(MODELS, "model", connector=own())
    await world.ready()
    check_one(world)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["register-model", "update-model"])
async def test_a_spoiled_call_and_a_killed_operator(stage: Stage, operation: str, fault: str) -> None:
    world = await stage(speed=20.0)
    how = FAULTS[fault]
    if operation == "register-model":
        world.ml.fail(operation, **how)
        everything(world)
    else:
        everything(world)
        await world.ready()
        world.ml.requests.clear()
        world.ml.fail(operation, **how)
        world.secret("key", token=NEXT)
        world.edit(MODELS, "model", connector=own(parameters={"model": "large"}))
    await eventually(lambda: world.ml.count(operation) >= 1)
    await world.operator.restart()
    await world.ready(seconds=30)
    await world.quiet()
    check_one(world, NEXT if operation == "update-model" else TOKEN)
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


@pytest.mark.parametrize("how", HOLDS)
async def test_what_is_held_is_shown_and_made_afterwards(world: Scene, how: str) -> None:
    everything(world)
    await world.ready()
    await world.quiet()
    world.ml.requests.clear()
    world.edit(MODELS, "model", connector=own(parameters={"model": "large", "api_key": "k"}), **HOLDS[how])
    await world.becomes(MODELS, "model", "Synced", "DriftDetected")
    assert paths(world, MODELS, "model") == {
        "connector.parameters.api_key": (None, "***"),
        "connector.parameters.model": ("small", "large"),
    }
    world.edit(MODELS, "model", connector={"parameters": {"model": "small", "api_key": None}})
    await world.ready()
    world.secret("key", token=NEXT)
    world.look_again(MODELS, "model")
    await world.becomes(MODELS, "model", "Synced", "DriftDetected")
    assert paths(world, MODELS, "model") == {"connector.credential": ("***", "***")}
    await world.quiet()
    assert effects(world) == []
    world.edit(MODELS, "model", **FREE)
    await world.ready()
    check_one(world, NEXT)
    assert "pendingChanges" not in world.status(MODELS, "model")


async def test_what_cannot_be_taken_away_is_shown(world: Scene) -> None:
    everything(world)
    await world.ready()
    world.edit(MODELS, "model", connector={"parameters": None})
    await world.becomes(MODELS, "model", "Synced", "Rejected")
    assert paths(world, MODELS, "model") == {"connector.parameters.model": ("small", None)}


async def test_one_that_was_there_is_taken_over_without_a_write(world: Scene) -> None:
    everything(world, description="As it was", deletionPolicy="Retain")
    await world.ready()
    ((id_, _),) = world.ml.models.items()
    world.ml.models[id_]["connector"]["description"] = "As it was"
    world.delete(MODELS, "model")
    await eventually(lambda: world.kube.get(MODELS, "model", world.namespace) is None)
    world.ml.requests.clear()
    spec: dict[str, Any] = {"connectorRef": None, "connectionRef": {"name": "main"}, "modelGroupRef": None}
    world.model("mine", adopt={"id": id_}, connector=own(), **spec)
    await world.ready()
    await world.quiet()
    assert (world.status(MODELS, "mine")["id"], effects(world)) == (id_, [])
    world.secret("key", token=NEXT)
    world.look_again(MODELS, "mine")
    await eventually(lambda: world.ml.models[id_]["connector"]["credential"] == {"token": NEXT})
    await world.ready()
    assert effects(world) == ["update-model"]
    connector = world.ml.models[id_]["connector"]
    assert (connector["name"], connector["description"]) == ("model", "As it was")
