"""suspend and Observe: nothing is written to OpenSearch, and what would be is shown; then it is done."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from support import traps
from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene
from support.traps import When

from .conftest import Stage

HOLDS: Final[dict[str, dict[str, Any]]] = {
    "suspended": {"suspend": True},
    "observed": {"managementPolicy": "Observe"},
}
FREE: Final = {"suspend": None, "managementPolicy": None}
SET: Final = ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model"))
SETTINGS: Final = "mlclustersettings"
READS: Final = {"get", "search", "check"}


def effects(world: Scene) -> list[str]:
    """Return what was sent to OpenSearch except reads and health checks."""
    return [call.operation for call in world.ml.requests if call.operation.partition("-")[0] not in READS]


def paths(world: Scene, plural: str, name: str) -> dict[str, tuple[str | None, str | None]]:
    """Return the pending changes of an object."""
    found = world.status(plural, name).get("pendingChanges", [])
    return {change["path"]: (change.get("from"), change.get("to")) for change in found}


async def held(world: Scene, how: str) -> None:
    """Hold the whole set, and wait until that is seen."""
    for plural, name in SET:
        world.edit(plural, name, **HOLDS[how])
    await world.ready()
    await world.quiet()
    world.ml.requests.clear()


@pytest.mark.parametrize("how", HOLDS)
async def test_a_change_waits_is_shown_and_is_made_afterwards(world: Scene, how: str) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "0s"})
    await world.ready()
    before = (dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models))
    await held(world, how)
    suspended = world.condition(MODELS, "model", "Suspended")
    assert suspended.get("status") == ("True" if how == "suspended" else None)

    world.edit(GROUPS, "group", description="For embeddings")
    world.edit(CONNECTORS, "connector", parameters={"model": "large", "extra": 1})
    world.edit(MODELS, "model", enabled=False, rateLimiter={"limit": 3, "unit": "HOURS"})
    for plural, name in SET:
        condition = await world.becomes(plural, name, "Synced", "DriftDetected")
        assert world.condition(plural, name, "Stalled")["status"] == "True"
        assert world.condition(plural, name).get("reason") == "DriftDetected"
        assert "suspend" in condition["message"] or "Observe" in condition["message"]
    assert set(paths(world, GROUPS, "group")) == {"description"}
    assert paths(world, CONNECTORS, "connector") == {
        "parameters.extra": (None, "1"),
        "parameters.model": ("small", "large"),
    }
    assert paths(world, MODELS, "model") == {
        "is_enabled": ("true", "false"),
        "rate_limiter.limit": (None, "3"),
        "rate_limiter.unit": (None, "HOURS"),
    }
    await world.quiet()
    assert effects(world) == []
    assert (dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)) == before

    for plural, name in SET:
        world.edit(plural, name, **FREE)
    await world.ready()
    await eventually(lambda: len(world.ml.connectors) == 1)
    world.check_one_each()
    (model,) = world.ml.models.values()
    assert model["is_enabled"] is False
    for plural, name in SET:
        assert "pendingChanges" not in world.status(plural, name)
        assert world.condition(plural, name, "Suspended") == {}
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


@pytest.mark.parametrize("how", HOLDS)
async def test_what_others_do_is_shown_and_left(world: Scene, how: str) -> None:
    world.everything()
    await world.ready()
    await held(world, how)
    ((model_id, model),) = world.ml.models.items()
    ((_, group),) = world.ml.groups.items()
    ((connector_id, connector),) = world.ml.connectors.items()
    model |= {"name": "other", "model_state": "UNDEPLOYED", "current_worker_node_count": 0}
    group["description"] = "somebody else's"
    connector["parameters"] = {"model": "small", "api_key": "in plain sight"}
    for plural, name in SET:
        world.look_again(plural, name)
        await world.becomes(plural, name, "Synced", "DriftDetected")
    differs = {"model_state": ("UNDEPLOYED", "DEPLOYED"), "name": ("other", "model")}
    await eventually(lambda: paths(world, MODELS, "model") == differs)
    assert world.condition(MODELS, "model", "Deployed")["reason"] == "Undeployed"
    assert set(paths(world, GROUPS, "group")) == {"description"}
    assert paths(world, CONNECTORS, "connector") == {"parameters.api_key": ("***", None)}
    del world.ml.connectors[connector_id]
    world.look_again(CONNECTORS, "connector")
    await eventually(lambda: "deleted" in world.condition(CONNECTORS, "connector", "Synced")["message"])
    await world.quiet()
    assert effects(world) == []
    assert list(world.ml.models) == [model_id]


@pytest.mark.parametrize("how", HOLDS)
async def test_at_rest_and_at_a_restart_nothing_is_written(stage: Stage, how: str) -> None:
    world = await stage(speed=20.0)
    world.everything()
    await world.ready()
    for plural, name in SET:
        world.edit(plural, name, resyncInterval="30s")
    await held(world, how)
    world.kube.reset_counts()
    await world.operator.crash()
    await world.operator.start()
    await eventually(lambda: world.ml.count("get-info") >= 3, seconds=60)
    assert world.writes() == {}
    assert effects(world) == []


@pytest.mark.parametrize("how", HOLDS)
async def test_a_request_to_look_is_echoed(world: Scene, how: str) -> None:
    world.everything()
    await world.ready()
    await held(world, how)
    for plural, name in SET:
        world.look_again(plural, name)
        wanted = world.get(plural, name)["metadata"]["annotations"]["opensearchml.io/reconcile-requested-at"]
        await eventually(
            lambda: world.status(plural, name).get("lastHandledReconcileAt") == wanted  # noqa: B023 - at once
        )


async def test_suspended_from_the_beginning_nothing_is_created_until_it_is_resumed(world: Scene) -> None:
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.group(suspend=True)
    world.connector(suspend=True)
    await world.becomes(GROUPS, "group", "Synced", "DriftDetected")
    await world.becomes(CONNECTORS, "connector", "Synced", "DriftDetected")
    shown = paths(world, CONNECTORS, "connector")
    assert shown["name"] == (None, "connector")
    assert shown["actions[0].headers.Authorization"] == (None, "***")
    assert "value-of-the-credential" not in str(world.kube.objects(CONNECTORS))
    world.model(suspend=True)
    await world.becomes(MODELS, "model", "ReferencesResolved", "ConnectorNotReady")
    assert world.remote() == (0, 0, 0)
    for plural, name in (*SET[:2], *SET):
        world.edit(plural, name, suspend=False)
    await world.ready()
    world.check_one_each()


async def test_a_deletion_goes_on_while_suspended(world: Scene) -> None:
    world.everything()
    await world.ready()
    await held(world, "suspended")
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


async def test_observed_objects_are_released(world: Scene) -> None:
    world.everything()
    await world.ready()
    await held(world, "observed")
    for plural, name in SET:
        world.edit(plural, name, deletionPolicy="Delete")
    world.delete_everything()
    await world.gone()
    assert effects(world) == []
    assert world.remote() == (1, 1, 1)
    assert world.ml.cluster.loaded


async def test_there_must_be_something_to_observe(world: Scene) -> None:
    world.connection()
    world.group(managementPolicy="Observe")
    await world.becomes(GROUPS, "group", "Synced", "InvalidSpec")
    world.edit(GROUPS, "group", managementPolicy="Manage")
    await world.ready()
    assert world.remote() == (1, 0, 0)


async def test_settings_are_held_too(world: Scene) -> None:
    name = "plugins.ml_commons.safe_delete_model"
    world.connection()
    spec = {"connectionRef": {"name": "main"}, "settings": {"safe_delete_model": True}}
    world.create(SETTINGS, "watched", {**spec, "managementPolicy": "Observe"})
    await world.becomes(SETTINGS, "watched", "Synced", "DriftDetected")
    assert paths(world, SETTINGS, "watched") == {name: (None, "true")}
    world.create(SETTINGS, "kept", {**spec, "suspend": True})
    await world.becomes(SETTINGS, "kept", "Synced", "DriftDetected")
    assert world.ml.cluster.persistent == {}
    world.edit(SETTINGS, "kept", suspend=False)
    await eventually(lambda: world.is_ready(SETTINGS, "kept"))
    assert world.ml.cluster.persistent == {name: "true"}
    world.look_again(SETTINGS, "watched")
    await eventually(lambda: world.is_ready(SETTINGS, "watched"))
    world.delete(SETTINGS, "watched")
    await eventually(lambda: world.kube.get(SETTINGS, "watched", "team") is None)
    assert world.ml.cluster.persistent == {name: "true"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["create-group", "create-connector", "register-model", "deploy-model"])
async def test_an_interrupted_create_waits_unharmed(world: Scene, operation: str, when: When) -> None:
    """Killed around a call, suspended, killed again, resumed: one remote object each."""
    trap = traps.set_for_opensearch(world.ml, operation, when=when)
    world.everything()
    await eventually(trap.reached.is_set, seconds=20)
    await world.operator.crash()
    trap.release()
    for plural, name in SET:
        world.edit(plural, name, suspend=True)
    world.ml.requests.clear()
    await world.operator.start()
    plural, name = next(each for each in SET if each[1] in operation or each[0] == MODELS)
    await eventually(lambda: world.condition(plural, name, "Suspended").get("status") == "True", seconds=20)
    await world.quiet()
    await world.operator.crash()
    await world.operator.start()
    await world.quiet()
    assert effects(world) == []
    for plural, name in SET:
        world.edit(plural, name, suspend=False)
    await world.ready(seconds=30)
    await world.quiet()
    world.check_one_each()
    world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_suspending_and_resuming_all_the_time_makes_one_of_each(world: Scene) -> None:
    world.everything()

    async def toggle(plural: str, name: str, pause: float) -> None:
        for number in range(12):
            world.edit(plural, name, suspend=number % 2 == 0)
            await asyncio.sleep(pause)

    await asyncio.gather(*(toggle(*each, pause) for each, pause in zip(SET, (0.03, 0.05, 0.07), strict=True)))
    await world.ready(seconds=30)
    await world.quiet()
    world.check_one_each()
    counts: dict[str, Any] = {call: world.ml.count(call) for call in ("create-group", "register-model")}
    assert counts == {"create-group": 1, "register-model": 1}
