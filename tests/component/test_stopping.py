"""Ends and new beginnings in the middle of work."""

from __future__ import annotations

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

NUMBER = 30


def thirty(world: Scene) -> None:
    world.secret("key", token="value-of-the-credential")
    world.connection()
    for index in range(NUMBER):
        world.group(f"group{index}")
        world.connector(f"connector{index}")
        world.model(
            f"model{index}",
            connectorRef={"name": f"connector{index}"},
            modelGroupRef={"name": f"group{index}"},
        )


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_thirty_sets_come_to_one_remote_object_each(world: Scene, how: str) -> None:
    thirty(world)
    await eventually(lambda: len(world.ml.models) >= 3, seconds=30)
    if how == "stop":
        assert await world.operator.stop() <= 25
    else:
        await world.operator.crash()
    assert len(world.ml.models) < NUMBER
    if how == "stop":  # what ran has come to its end: each model that is there is known by its id
        known = {body["status"].get("id") for body in world.kube.objects(MODELS)}
        assert set(world.ml.models) <= known
    await world.operator.start()
    await world.ready(seconds=60)
    assert world.remote() == (NUMBER, NUMBER, NUMBER)
    for plural, remote in (
        (GROUPS, world.ml.groups),
        (CONNECTORS, world.ml.connectors),
        (MODELS, world.ml.models),
    ):
        assert {body["status"]["id"] for body in world.kube.objects(plural)} == set(remote)
    world.delete_everything()
    await world.gone(seconds=90)
    assert world.nothing_left


async def test_a_user_without_a_name_is_as_good_as_any(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.operator.stop()

    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)
    await world.operator.start()
    world.everything()
    await world.ready()


async def test_an_operator_at_rest_stops_at_once(world: Scene) -> None:
    world.everything()
    await world.ready()
    await world.quiet()
    assert await world.operator.stop() < 10
