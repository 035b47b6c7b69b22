"""What is left of resources that went without our help: reported, and deleted when a person says so."""

from __future__ import annotations

import pytest

from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene

ANNOTATION = "opensearchml.io/delete-orphans"


def ask(world: Scene, value: str) -> None:
    """Have it looked for orphans now; ids in the value are to be deleted."""
    world.kube.annotate(CONNECTIONS, "main", {ANNOTATION: value}, world.namespace)


def orphans(world: Scene) -> list[str]:
    """Return the ids that the connection shows."""
    return [each["id"] for each in world.status(CONNECTIONS, "main").get("orphans", [])]


async def stripped(world: Scene) -> tuple[str, str, str]:
    """Make everything, and take model, connector and group away with their finalizers; return their ids."""
    world.everything()
    await world.ready()
    ids = [
        world.status(*each)["id"]
        for each in ((MODELS, "model"), (CONNECTORS, "connector"), (GROUPS, "group"))
    ]
    for documents in (world.ml.models, world.ml.connectors, world.ml.groups):
        for document in documents.values():
            document["created_time"] = 1_000
    world.kube.vanish(MODELS, "model", world.namespace)
    world.kube.vanish(CONNECTORS, "connector", world.namespace)
    world.kube.vanish(GROUPS, "group", world.namespace)
    model, connector, group = ids
    return model, connector, group


async def test_what_a_stripped_finalizer_leaves_is_shown_and_goes_when_it_is_named(world: Scene) -> None:
    ids = await stripped(world)
    ask(world, "look")
    await eventually(lambda: orphans(world) == list(ids))
    assert world.remote() == (1, 1, 1)
    ask(world, " ".join(ids))
    await eventually(lambda: world.nothing_left, seconds=20)
    await eventually(lambda: orphans(world) == [])
    assert {event["reason"] for event in world.kube.events} >= {"OrphansFound", "OrphanDeleted"}


async def test_what_a_pipeline_names_goes_as_soon_as_the_pipeline_is_gone(world: Scene) -> None:
    model, _, _ = await stripped(world)
    world.ml.cluster.search_pipelines["one"] = {"processors": [{"ml_inference": {"model_id": model}}]}
    ask(world, model)
    await eventually(lambda: "OrphanKept" in {event["reason"] for event in world.kube.events})
    assert model in world.ml.models
    del world.ml.cluster.search_pipelines["one"]
    ask(world, f"again {model}")
    await eventually(lambda: model not in world.ml.models, seconds=20)


async def test_another_clusters_objects_are_neither_shown_nor_deleted(world: Scene) -> None:
    model, connector, group = await stripped(world)
    for documents in (world.ml.models, world.ml.connectors, world.ml.groups):
        for document in documents.values():
            words = document["description"].split()
            document["description"] = " ".join([*words[:-1], f"k8smlin{'4' * 32}"])
    ask(world, f"{model} {connector} {group}")
    before = world.ml.count("search-groups")
    await eventually(lambda: world.ml.count("search-groups") > before)
    await world.quiet()
    assert orphans(world) == []
    assert world.remote() == (1, 1, 1)


async def test_what_has_its_resource_is_not_deleted_by_name(world: Scene) -> None:
    world.everything()
    await world.ready()
    (model,) = world.ml.models
    world.ml.models[model]["created_time"] = 1_000
    ask(world, model)
    before = world.ml.count("search-groups")
    await eventually(lambda: world.ml.count("search-groups") > before)
    await world.quiet()
    assert orphans(world) == []
    world.check_one_each()


@pytest.mark.parametrize("call", ["undeploy-model", "delete-model", "delete-connector", "delete-group"])
async def test_a_kill_in_the_middle_loses_no_request(world: Scene, call: str) -> None:
    ids = await stripped(world)
    hold = world.ml.hold(call)
    ask(world, ",".join(ids))
    await eventually(lambda: world.ml.count(call) == 1, seconds=20)
    await world.operator.crash()
    hold.release()
    await world.operator.start()
    await eventually(lambda: world.nothing_left, seconds=30)
