"""What is gone without a word of any watch is found out, at next to no cost while nothing is gone."""

from __future__ import annotations

import pytest

from opensearch_ml_operator import app
from support.eventually import eventually
from support.scene import GROUPS, Scene

from .conftest import Stage

SPEED = 60.0


async def with_a_group(stage: Stage) -> Scene:
    world = await stage(speed=SPEED)
    world.connection()
    for name in ("one", "two"):
        world.group(name)
    await world.ready()
    await eventually(lambda: groups(world) == 2)
    return world


def groups(world: Scene) -> int:
    """Return how many groups the connection is shown to have, which is what the operator remembers."""
    (connection,) = world.kube.objects("opensearchconnections")
    return int(connection["status"]["usedBy"]["groups"])


def lists(world: Scene) -> list[str]:
    """Return how much was asked for by each list of groups."""
    return [call.query.get("limit", "") for call in world.kube.calls if call.counted == ("list", GROUPS, "")]


async def test_what_no_watch_has_told_of_is_found_by_the_number(stage: Stage) -> None:
    world = await with_a_group(stage)
    world.kube.vanish(GROUPS, "one", world.namespace)
    await eventually(lambda: groups(world) == 1, seconds=30)


async def test_as_long_as_the_number_is_right_nothing_is_read(stage: Stage) -> None:
    world = await with_a_group(stage)
    before = len(lists(world))
    await eventually(lambda: len(lists(world)) >= before + 2, seconds=30)
    assert set(lists(world)[before:]) == {"1"}


async def test_even_a_right_number_is_not_believed_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "GHOST_LISTS", 2)
    world = await with_a_group(stage)
    before = len(lists(world))
    await eventually(lambda: len(lists(world)) >= before + 2, seconds=30)
    assert len(set(lists(world)[before:])) == 2
