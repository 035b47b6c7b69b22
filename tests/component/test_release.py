"""The ways out: Retain lets go whatever is going on, and what goes without us leaves no place taken."""

from __future__ import annotations

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

RETAIN = {"opensearchml.io/deletion-policy": "Retain"}


async def begin(world: Scene, state: str) -> None:
    """Bring everything into a state in which something is going on."""
    match state:
        case "deploying":
            world.ml.deploy_outcomes.append("stuck")
            world.everything()
            await eventually(lambda: any(m["model_state"] == "DEPLOYING" for m in world.ml.models.values()))
        case "pending":
            world.ml.fail("register-model", cut=True)
            world.everything()
            await world.becomes(MODELS, "model", "Synced", "WaitingForUnresolvedCreate")
        case "swapping":
            world.everything()
            await world.ready()
            world.ml.fail("update-model", times=1000)
            world.edit(CONNECTORS, "connector", parameters={"model": "large"})
            await eventually(lambda: len(world.ml.connectors) == 2)
        case _:
            world.everything()
            await world.ready()
            await world.ml.stop()


@pytest.mark.parametrize("state", ["deploying", "pending", "swapping", "away"])
async def test_retain_lets_go_whatever_is_going_on(world: Scene, state: str) -> None:
    await begin(world, state)
    world.delete_everything()
    for plural, name in ((MODELS, "model"), (CONNECTORS, "connector"), (GROUPS, "group")):
        if world.kube.get(plural, name, world.namespace) is not None:
            world.kube.annotate(plural, name, RETAIN, world.namespace)
    await world.gone(seconds=30)
    assert not {call.operation for call in world.ml.requests} & {"undeploy-model", "delete-model"}


async def test_a_model_that_goes_while_it_deploys_leaves_its_place_to_others(world: Scene) -> None:
    world.connection(limits={"maxDeploys": 1})
    world.secret("key", token="value-of-the-credential")
    world.group()
    world.connector()
    await world.ready()
    world.ml.deploy_outcomes.append("stuck")
    world.model("first")
    await eventually(lambda: any(m["model_state"] == "DEPLOYING" for m in world.ml.models.values()))
    world.kube.patch(MODELS, "first", {"metadata": {"finalizers": None}}, world.namespace)
    world.kube.delete(MODELS, "first", world.namespace)  # at once: nobody has been asked to finalize it
    await eventually(lambda: world.kube.get(MODELS, "first", world.namespace) is None)
    world.model("second")
    await eventually(lambda: world.is_ready(MODELS, "second"), seconds=20)
