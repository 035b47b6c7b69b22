"""The endpoints lead to another cluster: nothing is done there until a person accepts it by its UUID."""

from __future__ import annotations

from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene

NEW = "anotherClusterUuid0002"
ACCEPT = "opensearchml.io/accept-cluster-uuid"


def replace_cluster(world: Scene, uuid: str, *, restored: bool = False) -> None:
    """Put another cluster behind the same address, an empty one or the old one from a snapshot."""
    world.ml.cluster.uuid = uuid
    world.ml.cluster.loaded.clear()
    if not restored:
        for documents in (world.ml.groups, world.ml.connectors, world.ml.models):
            documents.clear()


def accept(world: Scene, uuid: str) -> None:
    """Annotate the connection, as its owner does."""
    world.kube.annotate(CONNECTIONS, "main", {ACCEPT: uuid}, world.namespace)


def ids(world: Scene) -> list[str]:
    """Return the ids that the objects say they have, empty where they have none now."""
    named = ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model"))
    return [world.status(plural, name).get("id", "") for plural, name in named]


def event_reasons(world: Scene) -> set[str]:
    """Return the reasons of all Events."""
    return {event["reason"] for event in world.kube.events}


async def everything_ready(world: Scene) -> None:
    """Make one object of each kind that looks at its remote object often."""
    world.everything()
    for plural, name in ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model")):
        world.edit(plural, name, resyncInterval="30s")
    world.edit(CONNECTIONS, "main", healthInterval="5s")
    await world.ready()
    await world.quiet()


async def test_nothing_is_made_on_another_cluster_until_it_is_accepted(world: Scene) -> None:
    await everything_ready(world)
    before = ids(world)
    replace_cluster(world, NEW)
    alarm = await world.becomes(CONNECTIONS, "main", "Reachable", "ClusterChanged")
    assert f"{ACCEPT}={NEW}" in alarm["message"]
    accept(world, "someOtherClusterUuid03")
    for plural, name in ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model")):
        world.look_again(plural, name)
        await world.becomes(plural, name, "ReferencesResolved", "ConnectionNotReady")
    looks = world.ml.count("get-info")
    await eventually(lambda: world.ml.count("get-info") >= looks + 2)
    assert world.remote() == (0, 0, 0)
    assert world.condition(CONNECTIONS, "main", "Reachable")["reason"] == "ClusterChanged"

    accept(world, NEW)
    await eventually(lambda: world.remote() == (1, 1, 1), seconds=30)
    await eventually(lambda: all(ids(world)) and not {*before} & {*ids(world)}, seconds=30)
    await world.ready(seconds=30)
    await world.quiet()
    world.check_one_each()
    assert world.status(CONNECTIONS, "main")["clusterUUID"] == NEW
    assert {"ClusterAccepted", "ExternalIDChanged"} <= event_reasons(world)
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


async def test_a_restored_cluster_keeps_its_objects(world: Scene) -> None:
    await everything_ready(world)
    before = ids(world)
    replace_cluster(world, NEW, restored=True)
    await world.becomes(CONNECTIONS, "main", "Reachable", "ClusterChanged")
    accept(world, NEW)
    await eventually(lambda: world.status(CONNECTIONS, "main")["clusterUUID"] == NEW)
    searches = world.ml.count("search-models")
    await eventually(lambda: world.ml.count("search-models") > searches, seconds=30)
    await world.ready(seconds=30)
    await world.quiet()
    assert ids(world) == before
    world.check_one_each()


async def test_an_annotation_accepts_one_cluster_and_no_other(world: Scene) -> None:
    await everything_ready(world)
    replace_cluster(world, NEW)
    accept(world, NEW)
    await eventually(lambda: world.remote() == (1, 1, 1), seconds=30)
    await world.ready(seconds=30)
    await world.quiet()
    replace_cluster(world, "yetAnotherClusterUuid4")
    await world.becomes(CONNECTIONS, "main", "Reachable", "ClusterChanged")
    looks = world.ml.count("get-info")
    await eventually(lambda: world.ml.count("get-info") >= looks + 2)
    assert world.remote() == (0, 0, 0)


async def test_the_accepted_cluster_outlives_a_crash(world: Scene) -> None:
    await everything_ready(world)
    await world.operator.crash()
    replace_cluster(world, NEW)
    accept(world, NEW)
    await world.operator.start()
    await eventually(lambda: world.remote() == (1, 1, 1), seconds=30)
    await world.ready(seconds=30)
    world.check_one_each()
