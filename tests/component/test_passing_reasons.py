"""Reasons that pass by: each is seen on its condition, and then the object goes on.

Those that stay have tests of their own, next to what they are about; the last test here says that none has
been forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from opensearch_ml_operator.constants import Reason
from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene

from .conftest import Stage

LIMIT = '{"error": {"type": "m_l_limit_exceeded_exception", "reason": "exceed max running task limit"}}'
NO_NODE = '{"error": {"type": "illegal_argument_exception", "reason": "no eligible node found"}}'

Act = Callable[[Scene], Awaitable[None]]


async def seen(world: Scene, plural: str, type_: str, reason: Reason) -> None:
    """Wait until some object has had this reason, for however short a time."""

    def was() -> bool:
        return any(
            each["type"] == type_ and each["reason"] == reason and each["status"] != "Unknown"
            for body in world.kube.past(plural)
            for each in body.get("status", {}).get("conditions", [])
        )

    await eventually(was, seconds=30)


async def slow_group(world: Scene) -> None:
    hold = world.ml.hold("create-group")
    world.everything()
    await eventually(hold.arrived.is_set)
    await world.becomes(MODELS, "model", "ReferencesResolved", "ModelGroupNotReady")
    hold.release()
    await world.ready()


async def created(world: Scene) -> None:
    world.everything()
    await world.ready()


async def deleted_by_hand(world: Scene) -> None:
    await created(world)
    world.ml.cluster.loaded.clear()
    world.ml.models.clear()
    world.look_again(MODELS, "model")
    await eventually(lambda: len(world.ml.models) == 1)
    await world.ready()


async def crowded(world: Scene) -> None:
    await created(world)
    world.ml.fail("update-model", status=500, body=LIMIT, times=2)
    world.edit(MODELS, "model", description="changed")
    await eventually(lambda: next(iter(world.ml.models.values()))["description"].startswith("changed"))
    await world.ready()


async def changed_by_others(world: Scene) -> None:
    await created(world)
    world.ml.fail("update-model", status=409, times=2)
    world.edit(MODELS, "model", description="changed")
    await eventually(lambda: next(iter(world.ml.models.values()))["description"].startswith("changed"))
    await world.ready()


async def partly_deployed(world: Scene) -> None:
    world.ml.deploy_outcomes.append("partial")
    await created(world)


async def stuck(world: Scene) -> None:
    world.ml.deploy_outcomes.append("stuck")
    world.everything()
    world.edit(MODELS, "model", healing={"stuckAfter": "10s"})
    await world.ready(seconds=30)


async def no_node(world: Scene) -> None:
    world.ml.fail("deploy-model", status=400, body=NO_NODE)
    world.everything()
    await world.becomes(MODELS, "model", "Deployed", "NoEligibleNodes")
    world.look_again(MODELS, "model")
    await world.ready()


async def undeployed(world: Scene) -> None:
    await created(world)
    world.edit(MODELS, "model", deploy=False)
    await eventually(lambda: not world.ml.cluster.loaded)
    await world.ready()


@pytest.mark.parametrize(
    ("act", "plural", "type_", "reason"),
    [
        (slow_group, MODELS, "ReferencesResolved", Reason.MODEL_GROUP_NOT_READY),
        (created, GROUPS, "Synced", Reason.CREATING),
        (created, CONNECTORS, "Synced", Reason.CREATING),
        (created, MODELS, "Deployed", Reason.DEPLOY_TASK_RUNNING),
        (created, MODELS, "Reconciling", Reason.PROGRESSING),
        (deleted_by_hand, MODELS, "Registered", Reason.REGISTER_TASK_RUNNING),
        (crowded, MODELS, "Synced", Reason.THROTTLED),
        (crowded, MODELS, "Reconciling", Reason.PROGRESSING_WITH_RETRY),
        (changed_by_others, MODELS, "Synced", Reason.UPDATING),
        (partly_deployed, MODELS, "Deployed", Reason.PARTIALLY_DEPLOYED),
        (stuck, MODELS, "Deployed", Reason.STUCK_DEPLOYING),
        (no_node, MODELS, "Deployed", Reason.NO_ELIGIBLE_NODES),
        (undeployed, MODELS, "Deployed", Reason.UNDEPLOY_RUNNING),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
async def test_a_reason_is_shown_and_passes(
    stage: Stage, act: Act, plural: str, type_: str, reason: Reason
) -> None:
    world = await stage(speed=20.0, nodes=2)
    await act(world)
    await seen(world, plural, type_, reason)


async def test_a_cluster_that_is_too_old(stage: Stage) -> None:
    world = await stage(version="2.10")
    world.everything()
    condition = await world.becomes(CONNECTIONS, "main", "Reachable", "UnsupportedVersion")
    assert "2.10.0 is older than 2.11" in condition["message"]
    assert world.remote() == (0, 0, 0)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_seen_by_a_test_with_the_whole_operator(reason: Reason) -> None:
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "live")
    texts = [path.read_text() for folder in folders for path in folder.glob("test_*.py")]
    assert any(f'"{reason}"' in text or f"Reason.{reason.name}" in text for text in texts)
