"""OpenSearch 2.11, the oldest that is supported: what it lacks is done without, or refused; never lost."""

from __future__ import annotations

from typing import Any

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

from .conftest import Stage

INTERFACE = {"interface": {"input": '{"type":"object"}'}}


@pytest.fixture
async def old(stage: Stage) -> Scene:
    return await stage(version="2.11.1")


async def test_a_whole_set_comes_and_goes(old: Scene) -> None:
    old.everything()
    await old.ready()
    assert old.remote() == (1, 1, 1)
    old.delete_everything()
    await old.gone(seconds=30)
    assert old.nothing_left


async def test_a_group_alone_is_looked_at(old: Scene) -> None:
    old.everything()
    await old.ready()
    old.edit(GROUPS, "group", description="Other words.")
    await eventually(lambda: "Other words." in next(iter(old.ml.groups.values()))["description"], seconds=20)
    await old.becomes(GROUPS, "group", "Ready", "Succeeded")


def shown(old: Scene) -> list[dict[str, Any]]:
    """Return all models and connectors."""
    return [*old.ml.models.values(), *old.ml.connectors.values()]


@pytest.mark.parametrize(
    ("plural", "name", "spec", "words"),
    [
        (CONNECTORS, "connector", {"clientConfig": {"maxConnection": 3}}, "spec.clientConfig needs 2.13"),
        (MODELS, "model", INTERFACE, "spec.interface needs 2.14"),
    ],
)
async def test_what_it_does_not_know_is_refused_until_it_is_upgraded(
    old: Scene, plural: str, name: str, spec: dict[str, Any], words: str
) -> None:
    old.everything()
    await old.ready()
    old.edit(plural, name, **spec)
    condition = await old.becomes(plural, name, "Synced", "FieldNotSupported")
    assert words in condition["message"]
    assert old.condition(plural, name, "Stalled")["status"] == "True"
    assert old.remote() == (1, 1, 1)
    assert not any("interface" in each or "client_config" in each for each in shown(old))

    old.ml.cluster.release, old.ml.cluster.number = (2, 19), "2.19.1"
    await old.ready(seconds=60)
    await eventually(lambda: any("interface" in each or "client_config" in each for each in shown(old)))


async def test_a_change_that_it_cannot_make_is_told(old: Scene) -> None:
    old.everything()
    await old.ready()
    old.edit(MODELS, "model", description="Other words.")
    condition = await old.becomes(MODELS, "model", "Synced", "Rejected")
    assert "Incorrect HTTP method" in condition["message"]
    old.edit(MODELS, "model", description=None)
    await old.ready()
    old.check_one_each()
