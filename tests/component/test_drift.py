"""What others do to the remote objects behind our back, and what becomes of it."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

from .conftest import Stage

MODEL_SPEC: Final = {
    "description": "Embeds text",
    "rateLimiter": {"limit": 10, "unit": "SECONDS"},
    "interface": {"input": '{"type": "object"}'},
    "guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["secret"]}},
}
MODEL_DRIFT: Final = {
    "name": "other",
    "description": "somebody else's",
    "is_enabled": False,
    "deploy_setting": {"is_auto_deploy_enabled": False, "model_ttl_minutes": 7},
    "rate_limiter": {"limit": "99", "unit": "DAYS"},
    "interface": {"input": '{"type": "string"}'},
    "guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["nothing"]}},
}
GROUP_DRIFT: Final = {"name": "other", "description": "somebody else's"}
CONNECTOR_DRIFT: Final = {
    "name": "other",
    "description": "somebody else's",
    "version": "9",
    "parameters": {"model": "small", "extra": "foreign"},
    "actions": [{"action_type": "PREDICT", "method": "POST", "url": "https://api.openai.com/v1/evil"}],
}


def event_reasons(world: Scene) -> set[str]:
    return {event["reason"] for event in world.kube.events}


@pytest.mark.parametrize("field", MODEL_DRIFT)
async def test_a_changed_model_is_put_back(world: Scene, field: str) -> None:
    world.everything()
    world.edit(MODELS, "model", **MODEL_SPEC)
    await world.ready()
    ((id_, document),) = world.ml.models.items()
    wanted = copy.deepcopy(document[field]) if field in document else None
    document[field] = copy.deepcopy(MODEL_DRIFT[field])
    world.look_again(MODELS, "model")
    await eventually(lambda: world.ml.models[id_].get(field, True) == (True if wanted is None else wanted))
    await eventually(lambda: "DriftCorrected" in event_reasons(world))
    await world.ready()
    assert list(world.ml.models) == [id_]


@pytest.mark.parametrize("field", GROUP_DRIFT)
async def test_a_changed_group_is_put_back(world: Scene, field: str) -> None:
    world.everything()
    world.edit(GROUPS, "group", description="For embeddings")
    await world.ready()
    ((id_, document),) = world.ml.groups.items()
    wanted = document[field]
    document[field] = GROUP_DRIFT[field]
    world.look_again(GROUPS, "group")
    await eventually(lambda: world.ml.groups[id_][field] == wanted)
    await world.ready()
    assert list(world.ml.groups) == [id_]


@pytest.mark.parametrize("field", CONNECTOR_DRIFT)
async def test_a_changed_connector_is_replaced(world: Scene, field: str) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "0s"})
    await world.ready()
    ((old, document),) = world.ml.connectors.items()
    ((model, _),) = world.ml.models.items()
    wanted = copy.deepcopy(document[field])
    document[field] = copy.deepcopy(CONNECTOR_DRIFT[field])
    world.look_again(CONNECTORS, "connector")
    await eventually(lambda: len(world.ml.connectors) == 1 and old not in world.ml.connectors, seconds=20)
    await world.ready()
    ((new, replaced),) = world.ml.connectors.items()
    if field != "description":  # it holds the revision
        assert replaced[field] == wanted
    assert {id_: doc["connector_id"] for id_, doc in world.ml.models.items()} == {model: new}
    assert world.ml.cluster.loaded == {model: new}


@pytest.mark.parametrize("how", ["asked", "by the resync"])
async def test_a_deleted_model_is_made_again(stage: Stage, how: str) -> None:
    world = await stage(speed=20.0)
    world.everything()
    world.edit(MODELS, "model", resyncInterval="30s")
    await world.ready()
    await world.quiet()
    ((old, _),) = world.ml.models.items()
    connectors = set(world.ml.connectors)
    world.ml.cluster.loaded.clear()
    del world.ml.models[old]
    if how == "asked":
        world.look_again(MODELS, "model")
    await eventually(lambda: world.ml.models, seconds=15)
    await world.ready()
    world.check_one_each()
    assert old not in world.ml.models
    assert set(world.ml.connectors) == connectors
    await eventually(lambda: "ExternalIDChanged" in event_reasons(world))


@pytest.mark.parametrize("kind", [CONNECTORS, GROUPS])
async def test_a_deleted_connector_or_group_is_made_again(world: Scene, kind: str) -> None:
    world.everything()
    await world.ready()
    ((model, _),) = world.ml.models.items()
    remote = {CONNECTORS: world.ml.connectors, GROUPS: world.ml.groups}[kind]
    (old,) = remote
    del remote[old]
    (name,) = (body["metadata"]["name"] for body in world.kube.objects(kind))
    world.look_again(kind, name)
    await eventually(lambda: remote, seconds=15)
    field = {CONNECTORS: "connector_id", GROUPS: "model_group_id"}[kind]
    await eventually(lambda: world.ml.models[model][field] in remote, seconds=15)
    await world.ready()
    await world.quiet()
    world.check_one_each()
    assert list(world.ml.models) == [model]
    await eventually(lambda: "ExternalIDChanged" in event_reasons(world))


async def test_a_model_without_a_group_gets_one_that_goes_with_it(world: Scene) -> None:
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.connector()
    world.model(modelGroupRef=None)
    await world.ready()
    ((group, document),) = world.ml.groups.items()
    assert document["name"] == "model"
    assert world.status(MODELS, "model")["ownedGroupID"] == group
    world.delete(MODELS, "model")
    await eventually(lambda: not world.kube.objects(MODELS))
    assert world.remote() == (0, 1, 0)


async def test_an_own_group_that_others_use_by_now_stays(world: Scene) -> None:
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.connector()
    world.model(modelGroupRef=None)
    await world.ready()
    ((group, _),) = world.ml.groups.items()
    ((model, document),) = world.ml.models.items()
    world.ml.models["foreign"] = {**document, "name": "foreign", "description": "", "connector_id": "other"}
    world.delete(MODELS, "model")
    await eventually(lambda: not world.kube.objects(MODELS))
    assert set(world.ml.models) == {"foreign"}
    assert set(world.ml.groups) == {group}
    assert model not in world.ml.cluster.loaded
    await eventually(lambda: "Retained" in event_reasons(world))


async def test_changes_while_opensearch_is_away_are_made_when_it_is_back(world: Scene) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "0s"})
    await world.ready()
    ((model, _),) = world.ml.models.items()
    await world.ml.stop()
    world.edit(MODELS, "model", description="New words")
    world.edit(CONNECTORS, "connector", parameters={"model": "large"})
    world.edit(GROUPS, "group", description="New group")
    await world.becomes(GROUPS, "group", "ReferencesResolved", "ConnectionNotReady")
    await world.ml.start()
    await world.ready(seconds=30)
    await eventually(lambda: len(world.ml.connectors) == 1)
    await world.ready()
    world.check_one_each()
    assert list(world.ml.models) == [model]
    assert world.ml.models[model]["description"].startswith("New words ")
    (connector,) = world.ml.connectors.values()
    assert connector["parameters"] == {"model": "large"}
    (group,) = world.ml.groups.values()
    assert group["description"].startswith("New group ")


async def test_somebody_who_undoes_every_correction_is_named_in_the_end(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((id_, _),) = world.ml.models.items()

    async def undo(call: Any, status: int, _: Any) -> None:
        if call.operation == "update-model" and status == 200:
            world.ml.models[id_]["name"] = "other"

    world.ml.after = undo
    world.ml.models[id_]["name"] = "other"
    world.look_again(MODELS, "model")
    condition = await world.becomes(MODELS, "model", "Synced", "DriftLoop")
    assert "name" in condition["message"]
    await world.quiet()
    assert world.ml.count("update-model") <= 4
