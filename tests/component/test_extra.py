"""`spec.extra` on its way through the client, and back from a server that knows the field or does not."""

from __future__ import annotations

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, MODELS

from .conftest import Stage

CONFIG = {"model_type": "text_embedding", "embedding_dimension": 768}


@pytest.mark.parametrize("version", ["2.19.1", "3.6.0", "3.7.0"])
async def test_extra_fields_of_any_release_come_to_rest(stage: Stage, version: str) -> None:
    world = await stage(version=version, speed=20.0)
    world.everything()
    given = {"model_config": CONFIG, "provisioned_by": "somebody"}
    world.edit(MODELS, "model", extra=given, resyncInterval="30s")
    world.edit(CONNECTORS, "connector", extra={"provisioned_by": "somebody"}, resyncInterval="30s")
    await world.ready()
    await world.quiet()
    ((id_, model),) = world.ml.models.items()
    assert model.get("model_config") == (CONFIG if version >= "3.1" else None)
    assert model.get("provisioned_by") == ("somebody" if version >= "3.7" else None)
    world.kube.reset_counts()
    world.ml.requests.clear()
    await eventually(lambda: world.ml.count("search-models") >= 2, seconds=15)
    assert world.ml.count("update-model") == 0
    assert MODELS not in world.writes()
    assert list(world.ml.models) == [id_]
    assert len(world.ml.connectors) == 1


async def test_a_removed_field_of_a_connector_is_gone_with_the_next_revision(stage: Stage) -> None:
    world = await stage(version="3.7.0")
    world.everything()
    world.edit(CONNECTORS, "connector", extra={"provisioned_by": "somebody"}, update={"keepOldFor": "0s"})
    await world.ready()
    await world.quiet()
    ((old, connector),) = world.ml.connectors.items()
    assert connector["provisioned_by"] == "somebody"
    world.edit(CONNECTORS, "connector", extra=None)
    await eventually(lambda: world.ml.connectors and old not in world.ml.connectors, seconds=20)
    await world.ready()
    world.check_one_each()
    assert not any("provisioned_by" in each for each in world.ml.connectors.values())


@pytest.mark.parametrize(("plural", "name"), [(CONNECTORS, "connector"), (MODELS, "model")])
async def test_a_clash_with_a_field_is_named_and_touches_nothing(
    stage: Stage, plural: str, name: str
) -> None:
    world = await stage()
    world.everything()
    await world.ready()
    await world.quiet()
    world.ml.requests.clear()
    world.edit(plural, name, extra={"description": "by the back door"})
    condition = await world.becomes(plural, name, "Synced", "InvalidSpec")
    assert "description" in condition["message"]
    assert not {"update-model", "create-connector"} & {call.operation for call in world.ml.requests}
    world.edit(plural, name, extra=None)
    await world.ready()
    world.check_one_each()
