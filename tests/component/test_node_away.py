"""A node that was away during a rotation: what it still knows is set right when it is back."""

from __future__ import annotations

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, MODELS, Scene

from .test_internal_connector import NEXT, check_one, everything

STRATEGIES = ("Swap", "Redeploy")


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_node_that_was_away_during_a_rotation_gets_the_new_connector(
    world: Scene, strategy: str
) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"strategy": strategy, "keepOldFor": "0s"})
    world.edit(MODELS, "model", resyncInterval="30s")
    await world.ready()
    await rotated(world)
    updates = world.ml.count("update-model")
    world.ml.node_returns()
    await eventually(lambda: world.ml.count("update-model") == updates + 1, seconds=30)
    await world.quiet()
    assert not world.ml.cluster.stale
    assert world.status(MODELS, "model")["connectorID"] in world.ml.connectors
    assert world.ml.count("update-model") == updates + 1  # once, not with every look


async def test_a_node_that_joins_a_model_never_rotated_costs_nothing(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", resyncInterval="30s")
    await world.ready()
    before = world.status(MODELS, "model")["lastDeployedAt"]
    updates = world.ml.count("update-model")
    world.ml.node_leaves()
    world.ml.node_returns()
    await eventually(lambda: world.status(MODELS, "model")["lastDeployedAt"] != before, seconds=30)
    await world.quiet()
    assert world.ml.count("update-model") == updates


async def test_a_swap_that_a_node_did_not_take_is_made_up_for(world: Scene) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "0s"})
    world.edit(MODELS, "model", resyncInterval="30s")
    await world.ready()
    # OpenSearch stores the change and says so with a 500 when a node does not answer in time.
    world.ml.fail("update-model", status=500, carried_out=True)
    await rotated(world)
    world.ml.node_returns()
    assert world.ml.cluster.stale
    await eventually(lambda: not world.ml.cluster.stale, seconds=30)


async def test_a_connector_of_the_models_own_is_sent_again_with_its_credential(world: Scene) -> None:
    everything(world, resyncInterval="30s")
    await world.ready()
    world.ml.node_leaves()
    world.secret("key", token=NEXT)
    world.look_again(MODELS, "model")
    await eventually(lambda: "connectorChangedAt" in world.status(MODELS, "model"), seconds=30)
    await world.ready()
    updates = world.ml.count("update-model")
    world.ml.node_returns()
    await eventually(lambda: world.ml.count("update-model") == updates + 1, seconds=30)
    sent = [call.body for call in world.ml.requests if call.operation == "update-model"][-1]
    assert sent is not None
    assert list(sent) == ["connector"]
    check_one(world, NEXT)


async def rotated(world: Scene) -> None:
    """Change the key while a node is away."""
    world.ml.node_leaves()
    world.secret("key", token="the-next-value")
    world.look_again(CONNECTORS, "connector")
    await eventually(lambda: "connectorChangedAt" in world.status(MODELS, "model"), seconds=30)
    await world.ready()
