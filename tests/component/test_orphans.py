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


@pytest.mark.exhaustive
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


def since(world: Scene, time: str) -> None:
    """Have the orphans been shown since then."""
    shown = [{**each, "since": time} for each in world.status(CONNECTIONS, "main")["orphans"]]
    status = {"status": {"orphans": shown}}
    world.kube.patch(CONNECTIONS, "main", status, world.namespace, subresource="status")


async def test_what_has_been_shown_for_long_enough_goes_when_the_spec_says_so(world: Scene) -> None:
    ids = await stripped(world)
    world.ml.cluster.search_pipelines["one"] = {"processors": [{"ml_inference": {"model_id": ids[0]}}]}
    spec = {"orphans": {"policy": "Delete", "after": "1h"}}
    world.kube.patch_spec(CONNECTIONS, "main", spec, world.namespace)
    ask(world, "look")
    await eventually(lambda: orphans(world) == list(ids))
    await world.quiet()
    assert world.remote() == (1, 1, 1)

    since(world, "2026-01-01T00:00:00Z")
    ask(world, "look again")
    await eventually(lambda: "OrphanKept" in {event["reason"] for event in world.kube.events}, seconds=20)
    assert world.remote() == (1, 1, 1)  # the pipeline needs the model, and the model the others
    world.ml.cluster.search_pipelines.clear()
    ask(world, "and again")
    await eventually(lambda: world.nothing_left, seconds=30)
    await eventually(lambda: orphans(world) == [])
    counted = world.operator.metrics.scrape()().decode()
    for kind in ("model", "connector", "group"):
        assert (
            f'opensearch_ml_orphans_deleted_total{{connection="main",namespace="{world.namespace}",'
            f'type="{kind}"}} 1.0'
        ) in counted


async def test_what_retain_has_left_is_no_orphan(world: Scene) -> None:
    world.everything()
    await world.ready()
    resources = ((MODELS, "model"), (CONNECTORS, "connector"), (GROUPS, "group"))
    uids = {world.kube.get(*each, world.namespace)["metadata"]["uid"] for each in resources}  # type: ignore[index]
    ids = [world.status(*each)["id"] for each in resources]
    for plural, name in resources:
        world.kube.annotate(plural, name, {"opensearchml.io/deletion-policy": "Retain"}, world.namespace)
        world.delete(plural, name)
    await eventually(lambda: not any(world.kube.objects(plural) for plural, _ in resources), seconds=20)
    assert set(world.status(CONNECTIONS, "main")["retained"]) == uids
    for documents in (world.ml.models, world.ml.connectors, world.ml.groups):
        for document in documents.values():
            document["created_time"] = 1_000
    ask(world, " ".join(ids))
    before = world.ml.count("search-groups")
    await eventually(lambda: world.ml.count("search-groups") > before)
    await world.quiet()
    assert orphans(world) == []
    assert world.remote() == (1, 1, 1)


async def test_what_is_retained_while_opensearch_is_away_is_no_orphan_either(world: Scene) -> None:
    world.everything()
    await world.ready()
    uid = world.kube.get(MODELS, "model", world.namespace)["metadata"]["uid"]  # type: ignore[index]
    await world.ml.stop()
    world.kube.annotate(MODELS, "model", {"opensearchml.io/deletion-policy": "Retain"}, world.namespace)
    world.delete(MODELS, "model")
    await eventually(lambda: not world.kube.objects(MODELS), seconds=20)
    assert world.status(CONNECTIONS, "main")["retained"] == [uid]
