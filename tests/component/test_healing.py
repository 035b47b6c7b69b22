"""Models that should be deployed and are not."""

from __future__ import annotations

from typing import Final

import pytest

from support.eventually import eventually
from support.fake_mlcommons.cluster import DeployOutcome
from support.scene import MODELS, Scene

from .conftest import Stage

SECOND_ATTEMPT: Final[dict[DeployOutcome, int]] = {"failed": 2, "partial": 2, "stuck": 2}


def lose(world: Scene) -> str:
    """Undeploy the only model behind everybody's back."""
    ((id_, document),) = world.ml.models.items()
    document["model_state"] = "UNDEPLOYED"
    world.ml.cluster.loaded.clear()
    return id_


@pytest.mark.parametrize("outcome", SECOND_ATTEMPT)
async def test_a_deploy_that_goes_wrong_is_repeated(stage: Stage, outcome: DeployOutcome) -> None:
    world = await stage(speed=20.0, nodes=2)
    world.ml.deploy_outcomes.append(outcome)
    world.everything()
    world.edit(MODELS, "model", healing={"stuckAfter": "10s"})
    await world.ready(seconds=30)
    world.check_one_each()
    assert world.ml.count("deploy-model") == SECOND_ATTEMPT[outcome]
    assert world.ml.count("register-model") == 1


async def test_a_failed_deploy_is_cleared_away_before_the_next(world: Scene) -> None:
    world.ml.deploy_outcomes.extend(["failed"])
    world.everything()
    condition = await world.becomes(MODELS, "model", "Deployed", "DeployTaskFailed")
    assert condition["status"] == "False"
    await world.ready(seconds=30)
    operations = [call.operation for call in world.ml.requests]
    assert operations.index("undeploy-model") > operations.index("deploy-model")
    failed, done = [task for task in world.status(MODELS, "model")["tasks"] if task["type"] == "Deploy"]
    assert (failed["state"], done["state"]) == ("FAILED", "COMPLETED")
    assert "the fake was told to fail" in failed["error"]


async def test_a_node_that_an_earlier_deploy_has_left_something_on_is_freed(stage: Stage) -> None:
    world = await stage(speed=20.0, nodes=3)
    world.everything()
    await world.ready()
    id_ = world.status(MODELS, "model")["id"]
    world.ml.node_joins_in_vain()
    world.look_again(MODELS, "model")
    await world.becomes(MODELS, "model", "Deployed", "PartiallyDeployed")
    await world.ready(seconds=30)
    assert world.status(MODELS, "model")["workers"] == {"planned": 3, "current": 3}
    assert world.status(MODELS, "model")["id"] == id_
    effects = [call.operation for call in world.ml.requests if "deploy-model" in call.operation]
    assert effects == ["deploy-model", "deploy-model", "undeploy-model", "deploy-model"]
    refused = [task for task in world.status(MODELS, "model")["tasks"] if task["type"] == "Deploy"][-2]
    assert "Duplicate deploy model task" in refused["error"]


async def test_an_undeployed_model_is_deployed_again(world: Scene) -> None:
    world.everything()
    await world.ready()
    id_ = lose(world)
    world.look_again(MODELS, "model")
    await eventually(lambda: id_ in world.ml.cluster.loaded)
    await world.ready()
    world.check_one_each()


async def test_a_model_at_rest_by_its_own_rule_is_left_alone(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", deploySetting={"ttlMinutes": 5, "autoDeployEnabled": True})
    await world.ready()
    lose(world)
    deploys = world.ml.count("deploy-model")
    world.look_again(MODELS, "model")
    await eventually(lambda: world.status(MODELS, "model")["state"] == "UNDEPLOYED")
    await world.ready()
    await world.quiet()
    assert world.ml.count("deploy-model") == deploys


async def test_the_budget_is_spent_and_a_person_helps(stage: Stage) -> None:
    world = await stage(speed=20.0)
    world.ml.deploy_outcomes.extend(["failed"] * 50)
    world.everything()
    world.edit(MODELS, "model", healing={"maxAttempts": 2, "window": "24h"})
    condition = await world.becomes(MODELS, "model", "Deployed", "HealingExhausted", seconds=30)
    assert "reconcile-requested-at" in condition["message"]
    assert world.condition(MODELS, "model", "Stalled")["status"] == "True"
    await world.quiet()
    assert world.ml.count("deploy-model") == 1 + 2
    world.ml.deploy_outcomes.clear()
    world.look_again(MODELS, "model")
    await world.ready(seconds=30)
    world.check_one_each()


async def test_healing_that_is_switched_off_only_shows(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", healing={"enabled": False})
    await world.ready()
    lose(world)
    deploys = world.ml.count("deploy-model")
    world.look_again(MODELS, "model")
    condition = await world.becomes(MODELS, "model", "Deployed", "Undeployed")
    await eventually(lambda: "healing.enabled" in world.condition(MODELS, "model", "Deployed")["message"])
    assert condition["status"] == "False"
    assert world.ml.count("deploy-model") == deploys


async def test_deploy_goes_off_and_on_with_the_same_model(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((id_, _),) = world.ml.models.items()
    world.edit(MODELS, "model", deploy=False)
    await world.ready()
    assert world.ml.models[id_]["model_state"] == "UNDEPLOYED"
    assert not world.ml.cluster.loaded
    world.edit(MODELS, "model", deploy=True)
    await world.ready(seconds=30)
    assert list(world.ml.models) == [id_]
    assert list(world.ml.cluster.loaded) == [id_]
