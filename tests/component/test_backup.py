"""What docs/backup.md says: objects come back from a backup with other uids, with their status or without."""

from __future__ import annotations

import time
from typing import Any

from opensearch_ml_operator.reconcilers.creation.steps import NEW
from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, SPEED, Scene

OURS = ((CONNECTIONS, "main"), (GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model"))
READS = ("get-", "search-", "profile-")
EMPTY = {"observedGeneration": -1}
"""What the API server gives an object that comes without a status."""

Body = dict[str, Any]


async def lose_kubernetes(world: Scene) -> dict[str, Body]:
    """Make everything, back it up, and lose the Kubernetes cluster; OpenSearch stays as it is."""
    world.everything()
    await world.ready()
    await world.quiet()
    backup = {plural: world.get(plural, name) for plural, name in OURS}
    await world.operator.stop()
    for plural, name in OURS:
        world.kube.vanish(plural, name, world.namespace)
    world.ml.requests.clear()
    return backup


def restore(world: Scene, backup: dict[str, Body], *, status: bool, adopt: bool = False) -> None:
    """Create the objects again, which gives them new uids; a status is written by itself, as tools do it."""
    for plural, name in OURS:
        body = backup[plural]
        if adopt and plural != CONNECTIONS:
            body = {**body, "spec": {**body["spec"], "adopt": {"id": body["status"]["id"]}}}
        made = world.kube.create(plural, body, world.namespace)
        assert made["metadata"]["uid"] != body["metadata"]["uid"]
        patch = {"status": body["status"] if status else EMPTY}
        world.kube.patch(plural, name, patch, world.namespace, subresource="status")


def changes(world: Scene) -> list[str]:
    """Return what OpenSearch was asked to change."""
    return [call.operation for call in world.ml.requests if not call.operation.startswith(READS)]


def ids(world: Scene) -> dict[str, str | None]:
    """Return the ids that the objects have in OpenSearch."""
    return {plural: world.status(plural, name).get("id") for plural, name in OURS}


async def test_with_the_status_all_keep_their_objects_and_the_connector_is_made_anew(world: Scene) -> None:
    backup = await lose_kubernetes(world)
    before = {plural: body["status"].get("id") for plural, body in backup.items()}
    restore(world, backup, status=True)
    await world.operator.start()
    await eventually(lambda: world.ml.count("create-connector") > 0)
    await world.ready()
    await world.quiet()

    assert sorted(changes(world)) == ["create-connector", "update-group", "update-model", "update-model"]
    assert world.status(GROUPS, "group")["id"] == before[GROUPS]
    assert world.status(MODELS, "model")["id"] == before[MODELS]
    (model,) = world.ml.models.values()
    assert model["connector_id"] == world.status(CONNECTORS, "connector")["id"] != before[CONNECTORS]
    (kept,) = world.status(CONNECTORS, "connector")["previous"]
    assert kept["id"] == before[CONNECTORS]
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


async def test_with_the_same_uids_and_no_status_all_is_found_again(world: Scene) -> None:
    began = time.monotonic()
    world.everything()
    await world.ready()
    await world.quiet()
    before = ids(world)
    await world.operator.stop()
    for plural, name in OURS:
        world.kube.patch(plural, name, {"status": EMPTY}, world.namespace, subresource="status")
    # Who is new has nothing to look for.
    await eventually(lambda: (time.monotonic() - began) * SPEED > NEW, seconds=NEW)
    world.ml.requests.clear()
    await world.operator.start()
    await world.ready(seconds=30)
    await world.quiet()
    assert changes(world) == []
    assert ids(world) == before


async def test_without_the_status_things_are_made_twice_or_refused(world: Scene) -> None:
    backup = await lose_kubernetes(world)
    restore(world, backup, status=False)
    await world.operator.start()
    refused = await world.becomes(GROUPS, "group", "Synced", "Rejected")
    assert "spec.adopt" in refused["message"]
    await eventually(lambda: world.is_ready(CONNECTORS, "connector"))
    assert len(world.ml.connectors) == 2


async def test_without_the_status_and_with_adopt_nothing_is_changed(world: Scene) -> None:
    backup = await lose_kubernetes(world)
    restore(world, backup, status=False, adopt=True)
    await world.operator.start()
    await world.ready()
    await world.quiet()
    assert changes(world) == []
    world.check_one_each()
