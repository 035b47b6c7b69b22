"""Whatever a set was before: what its specs say now is all that counts, on the server too."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, URL, Scene
from support.transitions import Body, SetSpec, picture, spoiled, transition

from .conftest import Stage

PAIRS = 25
"""Transitions that run at once in one scene."""
DEADLINE = 60.0
SPEED = 4.0
"""It is the machine that takes the time here: with a faster clock a slow one lets steps run out of theirs."""


def spec_of(spec: SetSpec, name: str, plural: str) -> Body:
    """Return the whole spec of one object of the set."""
    at = {"connectionRef": {"name": "main"}}
    if plural == GROUPS:
        return {**at, **spec.group}
    if plural == CONNECTORS:
        actions = [{"url": URL, **action} for action in spec.connector["actions"]]
        credentials = [{"name": "key", "secretKeyRef": {"name": "key", "key": "token"}}]
        return {**at, "credentials": credentials, **spec.connector, "actions": actions}
    connector = f"{name}-spare" if spec.spare else f"{name}-connector"
    group = {} if spec.own_group else {"modelGroupRef": {"name": f"{name}-group"}}
    return {"connectorRef": {"name": connector}, **group, **spec.model}


OBJECTS = ((GROUPS, "-group"), (CONNECTORS, "-connector"), (MODELS, "-model"))


def prepare(world: Scene) -> None:
    world.connection()
    world.secret("key", token="value-of-the-credential")


def create(world: Scene, name: str, spec: SetSpec) -> None:
    world.connector(
        f"{name}-spare", credentials=[{"name": "token", "secretKeyRef": {"name": "key", "key": "token"}}]
    )
    for plural, suffix in OBJECTS:
        world.create(plural, f"{name}{suffix}", spec_of(spec, name, plural))


def change(world: Scene, name: str, spec: SetSpec) -> None:
    for plural, suffix in OBJECTS:
        world.replace(plural, f"{name}{suffix}", spec_of(spec, name, plural))


def shown(world: Scene, name: str) -> list[str]:
    return picture(world.ml.groups, world.ml.connectors, world.ml.models, f"{name}-")


async def settled(world: Scene) -> None:
    await world.quiet(seconds=DEADLINE)
    await world.ready(seconds=DEADLINE, every=0.2)
    await eventually(lambda: not leftovers(world), seconds=DEADLINE, every=0.2)


def leftovers(world: Scene) -> list[str]:
    """Return the objects whose status still names something that is about to be deleted."""
    former = [body for body in world.kube.objects(CONNECTORS) if body["status"].get("previous")]
    former += [
        body
        for body in world.kube.objects(MODELS)
        if body["status"].get("ownedGroupID", body["status"]["modelGroupID"])
        != body["status"]["modelGroupID"]
    ]
    return [body["metadata"]["name"] for body in former]


def assert_alike(world: Scene, names: Sequence[str]) -> None:
    """Assert that the sets that came from elsewhere look like their fresh twins."""
    for name in names:
        assert shown(world, name) == shown(world, f"fresh-{name}"), name


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(8))
async def test_where_a_set_comes_from_does_not_show(stage: Stage, seed: int) -> None:
    world = await stage(speed=SPEED)
    chance = random.Random(seed)  # noqa: S311 - specs, no secrets; the test's name shows the seed
    pairs = {f"set{number}": transition(chance) for number in range(PAIRS)}
    prepare(world)
    for name, (first, second) in pairs.items():
        create(world, name, first)
        create(world, f"fresh-{name}", second)
    await settled(world)
    for name, (_, second) in pairs.items():
        change(world, name, second)
    await settled(world)
    assert_alike(world, list(pairs))


@pytest.mark.exhaustive
async def test_a_bad_spec_in_between_does_not_show(stage: Stage) -> None:
    world = await stage(speed=SPEED)
    chance = random.Random(99)  # noqa: S311 - specs, no secrets
    pairs = {f"set{number}": transition(chance) for number in range(PAIRS)}
    prepare(world)
    for name, (first, second) in pairs.items():
        create(world, name, first)
        create(world, f"fresh-{name}", second)
    await settled(world)
    for name, (first, _) in pairs.items():
        change(world, name, spoiled(first))
    for name in pairs:
        await world.becomes(CONNECTORS, f"{name}-connector", "Synced", "EndpointNotTrusted", seconds=DEADLINE)
    for name, (_, second) in pairs.items():
        change(world, name, second)
    await settled(world)
    assert_alike(world, list(pairs))
