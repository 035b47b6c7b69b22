"""What deletion leaves, on whose word; and the ways out of a deletion that cannot finish."""

from __future__ import annotations

import itertools

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

NAMES = {GROUPS: "group", CONNECTORS: "connector", MODELS: "model"}
RETAIN = {"opensearchml.io/deletion-policy": "Retain"}


@pytest.mark.parametrize("how", ["field", "annotation"])
async def test_what_is_retained_stays_as_it_is(world: Scene, how: str) -> None:
    world.everything()
    await world.ready()
    for plural, name in NAMES.items():
        if how == "field":
            world.edit(plural, name, deletionPolicy="Retain")
        else:
            world.kube.annotate(plural, name, RETAIN, world.namespace)
    await world.ready()
    loaded = dict(world.ml.cluster.loaded)
    world.delete_everything()
    await world.gone()
    assert world.remote() == (1, 1, 1)
    assert world.ml.cluster.loaded == loaded
    assert {event["reason"] for event in world.kube.events} >= {"Retained"}


@pytest.mark.parametrize(
    ("plural", "operation", "reason"),
    [
        (MODELS, "delete-model", "ConnectionUnavailable"),
        (CONNECTORS, "delete-connector", "ConnectionUnavailable"),
        (GROUPS, "delete-group", "ConnectionUnavailable"),
    ],
)
async def test_the_annotation_ends_a_deletion_that_is_blocked(
    world: Scene, plural: str, operation: str, reason: str
) -> None:
    world.everything()
    await world.ready()
    world.ml.forbidden.add(operation)
    if plural != MODELS:
        world.delete(MODELS, "model")
        await eventually(lambda: not world.kube.objects(MODELS))
    world.delete(plural, NAMES[plural])
    condition = await world.becomes(plural, NAMES[plural], "Deletable", reason)
    assert "no permissions" in condition["message"]
    world.kube.annotate(plural, NAMES[plural], RETAIN, world.namespace)
    await eventually(lambda: not world.kube.objects(plural), seconds=20)
    assert {GROUPS: world.ml.groups, CONNECTORS: world.ml.connectors, MODELS: world.ml.models}[plural]


async def test_a_deletion_waits_for_a_cluster_that_is_away(world: Scene) -> None:
    world.everything()
    await world.ready()
    await world.ml.stop()
    world.delete_everything()
    await world.becomes(MODELS, "model", "Deletable", "ConnectionUnavailable", seconds=30)
    await world.ml.start()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_a_connector_in_use_waits_and_says_by_whom(world: Scene) -> None:
    world.everything()
    await world.ready()
    world.delete(CONNECTORS, "connector")
    condition = await world.becomes(CONNECTORS, "connector", "Deletable", "UsedByModels")
    assert "model" in condition["message"]
    assert len(world.ml.connectors) == 1
    world.delete(MODELS, "model")
    await eventually(lambda: not world.kube.objects(CONNECTORS))
    assert world.remote() == (1, 0, 0)


async def test_a_connector_that_a_stranger_uses_waits_for_him(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((_, document),) = world.ml.models.items()
    world.ml.models["stranger"] = {**document, "description": "not ours", "model_state": "REGISTERED"}
    world.delete_everything()
    condition = await world.becomes(CONNECTORS, "connector", "Deletable", "UsedByModels", seconds=20)
    assert "stranger" in condition["message"]
    del world.ml.models["stranger"]
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_a_false_conflict_is_called_so(world: Scene) -> None:
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.group()
    await world.ready()
    numbers = itertools.count()
    world.ml.cluster.new_id = lambda: f"with-{next(numbers)}"  # whatever is tried, it has a hyphen
    world.connector()
    world.model()
    await world.ready()
    ((id_, _),) = world.ml.connectors.items()
    assert "-" in id_
    ((_, document),) = world.ml.models.items()
    world.ml.models["stranger"] = {
        **document,
        "description": "not ours",
        "model_state": "REGISTERED",
        "connector_id": f"else-{id_.rpartition('-')[2]}",
    }
    world.delete(MODELS, "model")
    world.delete(CONNECTORS, "connector")
    condition = await world.becomes(CONNECTORS, "connector", "Deletable", "FalseConflict", seconds=20)
    assert "stranger" in condition["message"]
    del world.ml.models["stranger"]
    await eventually(lambda: not world.kube.objects(CONNECTORS), seconds=20)
    assert not world.ml.connectors


def named_by(what: str, world: Scene, model: str) -> None:
    """Let something name a model."""
    pipeline = {"processors": [{"text_embedding": {"model_id": model, "field_map": {"text": "vector"}}}]}
    match what:
        case "ingest":
            world.ml.cluster.ingest_pipelines["catalogue"] = pipeline
        case "search":
            world.ml.cluster.search_pipelines["catalogue"] = pipeline
        case _:
            agent = {"name": "catalogue", "type": "conversational", "llm": {"model_id": model}}
            world.ml.cluster.agents.put("agent1", agent)


@pytest.mark.parametrize(
    ("what", "reason"),
    [("ingest", "UsedByPipelines"), ("search", "UsedByPipelines"), ("agent", "UsedByAgents")],
)
async def test_a_model_that_is_named_stays_deployed_until_it_is_not(
    world: Scene, what: str, reason: str
) -> None:
    world.everything()
    await world.ready()
    ((model, _),) = world.ml.models.items()
    named_by(what, world, model)
    world.delete_everything()
    condition = await world.becomes(MODELS, "model", "Deletable", reason)
    assert "catalogue" in condition["message"]
    assert "deletion-policy=Retain" in condition["message"]
    assert world.ml.models[model]["model_state"] == "DEPLOYED"
    assert world.ml.cluster.loaded
    writes = world.writes()[MODELS]
    looks = world.ml.count("get-ingest-pipelines")
    await eventually(lambda: world.ml.count("get-ingest-pipelines") > looks + 1, seconds=30)
    assert world.writes()[MODELS] == writes
    world.ml.cluster.ingest_pipelines.clear()
    world.ml.cluster.search_pipelines.clear()
    world.ml.cluster.agents.docs.clear()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_a_named_model_can_be_retained(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((model, _),) = world.ml.models.items()
    named_by("search", world, model)
    world.delete(MODELS, "model")
    await world.becomes(MODELS, "model", "Deletable", "UsedByPipelines")
    world.kube.annotate(MODELS, "model", RETAIN, world.namespace)
    await eventually(lambda: not world.kube.objects(MODELS), seconds=20)
    assert world.ml.models[model]["model_state"] == "DEPLOYED"


async def test_a_connector_that_an_agent_calls_stays(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((connector, _),) = world.ml.connectors.items()
    tool = {"type": "ConnectorTool", "parameters": {"connector_id": connector}}
    world.ml.cluster.agents.put("agent1", {"name": "caller", "type": "flow", "tools": [tool]})
    world.delete_everything()
    condition = await world.becomes(CONNECTORS, "connector", "Deletable", "UsedByAgents")
    assert "caller (agent1)" in condition["message"]
    assert connector in world.ml.connectors
    world.ml.cluster.agents.docs.clear()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_without_the_right_to_look_deletion_goes_on_and_says_so(world: Scene) -> None:
    world.everything()
    await world.ready()
    world.ml.forbidden |= {"get-ingest-pipelines", "get-search-pipelines", "search-agents"}
    world.delete_everything()
    await world.gone()
    assert world.nothing_left
    told = [event for event in world.kube.events if event["reason"] == "DependantsUnknown"]
    unseen = (
        "ingest pipelines (cluster:admin/ingest/pipeline/get), "
        "search pipelines (cluster:admin/search/pipeline/get), "
        "agents (cluster:admin/opensearch/ml/agents/search)"
    )
    assert any(unseen in event["message"] for event in told)


async def test_pipelines_that_cannot_be_read_for_now_hold_a_deletion_up(world: Scene) -> None:
    world.everything()
    await world.ready()
    world.ml.fail("get-search-pipelines", times=1000)
    world.delete(MODELS, "model")
    await world.becomes(MODELS, "model", "Deletable", "ConnectionUnavailable", seconds=20)
    assert len(world.ml.models) == 1
    world.ml.heal()
    await eventually(lambda: not world.kube.objects(MODELS), seconds=30)


async def test_safe_delete_that_takes_a_stranger_for_a_user_is_a_false_conflict(world: Scene) -> None:
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.group()
    world.connector()
    await world.ready()
    numbers = itertools.count()
    world.ml.cluster.new_id = lambda: f"with-{next(numbers)}"
    world.model()
    await world.ready()
    ((model, _),) = world.ml.models.items()
    tool = {"type": "MLModelTool", "parameters": {"model_id": f"else-{model.rpartition('-')[2]}"}}
    world.ml.cluster.agents.put("agent1", {"name": "stranger", "type": "flow", "tools": [tool]})
    world.ml.cluster.persistent["plugins.ml_commons.safe_delete_model"] = "true"
    world.delete(MODELS, "model")
    condition = await world.becomes(MODELS, "model", "Deletable", "FalseConflict", seconds=20)
    assert "agent1" in condition["message"]
    assert "safe_delete_model to false" in condition["message"]
    world.ml.cluster.persistent.clear()
    await eventually(lambda: not world.kube.objects(MODELS), seconds=30)


async def test_strangers_in_a_group_are_named(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((_, document),) = world.ml.models.items()
    stranger = {"name": "handmade", "description": "not ours", "model_state": "REGISTERED"}
    world.ml.models["stranger"] = {**document, **stranger}
    world.delete_everything()
    condition = await world.becomes(GROUPS, "group", "Deletable", "UsedByModels", seconds=30)
    assert "handmade (stranger)" in condition["message"]
    del world.ml.models["stranger"]
    await world.gone(seconds=30)


async def test_a_namesake_gets_a_model_of_its_own(world: Scene) -> None:
    world.everything()
    await world.ready()
    ((old, _),) = world.ml.models.items()
    world.delete(MODELS, "model")
    await eventually(lambda: not world.kube.objects(MODELS))
    world.model()
    await world.ready()
    world.check_one_each()
    assert old not in world.ml.models
