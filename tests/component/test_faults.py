"""Every effectful call, and everything that can become of it: one remote object each in the end, then none.

A call is spoiled while a set is created or deleted; no case may need a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import pytest

from support import traps
from support.eventually import eventually
from support.fake_kube import Fault
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene
from support.traps import Trap, When

from .conftest import Stage

CREATING: Final = ("create-group", "create-connector", "register-model", "deploy-model")
DELETING: Final = ("update-model", "undeploy-model", "delete-model", "delete-group", "delete-connector")
EFFECTS: Final = CREATING + DELETING

FAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "lost answer": {"cut": True, "carried_out": True},
    "500 after success": {"status": 500, "carried_out": True},
    "503 after success": {"status": 503, "carried_out": True},
    "429 after success": {"status": 429, "carried_out": True},
    "cut before": {"cut": True},
    "500 without effect": {"status": 500},
    "503 without effect": {"status": 503},
    "429 with Retry-After": {"status": 429, "retry_after": 1},
    "not JSON after success": {"status": 200, "body": "<html>busy</html>", "carried_out": True},
    "half an answer after success": {"status": 200, "body": '{"model_id": "id', "carried_out": True},
}
KUBE_PATCHES: Final = (
    *((CONNECTIONS, "", 1), (GROUPS, "", 1), (CONNECTORS, "", 1), (MODELS, "", 1)),
    (CONNECTIONS, "status", 1),
    *((GROUPS, "status", number) for number in (1, 2)),
    *((CONNECTORS, "status", number) for number in (1, 2)),
    *((MODELS, "status", number) for number in (1, 2, 3, 4)),
    *((MODELS, "", 2), (CONNECTORS, "", 2), (GROUPS, "", 2), (CONNECTIONS, "", 2)),  # finalizers go
)
KUBE_FAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "lost answer": {"cut": "after"},
    "cut before": {"cut": "before"},
    "500": {"status": 500},
    "429": {"status": 429, "retry_after": 1},
    "409": {"status": 409},
}


async def live_and_die(world: Scene) -> None:
    """Wait for one remote object each; delete all, and wait until nothing is left."""
    await world.ready(seconds=30)
    await world.quiet()
    world.check_one_each()
    world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left


async def in_order(world: Scene) -> None:
    """Create everything such that each object finds what it needs: the calls are always the same then."""
    world.secret("key", token="value-of-the-credential")
    world.connection()
    world.group()
    world.connector()
    await world.ready()
    world.model()


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", EFFECTS)
async def test_a_spoiled_call_to_opensearch(world: Scene, operation: str, fault: str) -> None:
    if operation in CREATING:
        world.ml.fail(operation, **FAULTS[fault])
        world.everything()
    else:
        world.everything()
        await world.ready()
        world.ml.fail(operation, **FAULTS[fault])
    await live_and_die(world)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("patch", "fault"),
    [
        pytest.param(patch, fault, id="-".join((*map(str, patch), fault)))
        for patch in KUBE_PATCHES
        for fault in KUBE_FAULTS
        if (patch[1], fault) != ("", "409")  # there never is one without a change, which wakes kopf
    ],
)
async def test_a_spoiled_write_to_kubernetes(world: Scene, patch: tuple[str, str, int], fault: str) -> None:
    resource, subresource, occurrence = patch
    seen = 0
    spoiled = asyncio.Event()

    async def spoil(call: Any) -> None:
        nonlocal seen
        if tuple(call.counted) == ("patch", resource, subresource):
            seen += 1
            if seen == occurrence - 1:
                world.kube.fail(Fault("patch", resource, subresource, **KUBE_FAULTS[fault]))
                spoiled.set()

    if occurrence == 1:
        world.kube.fail(Fault("patch", resource, subresource, **KUBE_FAULTS[fault]))
        spoiled.set()
    world.kube.intercept(after=spoil)
    await in_order(world)
    await live_and_die(world)
    assert spoiled.is_set()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", EFFECTS)
async def test_a_crash_around_a_call_to_opensearch(world: Scene, operation: str, when: When) -> None:
    if operation in DELETING:
        world.everything()
        await world.ready()
    trap = traps.set_for_opensearch(world.ml, operation, when=when)
    if operation in CREATING:
        world.everything()
    else:
        world.delete_everything()
    await crash_in(world, trap)
    if operation in CREATING:
        await live_and_die(world)
    else:
        await world.gone(seconds=30)
        assert world.nothing_left


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("patch", KUBE_PATCHES, ids=lambda patch: "-".join(map(str, patch)))
async def test_a_crash_around_a_write_to_kubernetes(
    world: Scene, patch: tuple[str, str, int], when: When
) -> None:
    resource, subresource, occurrence = patch
    trap = traps.set_for_kube(
        world.kube, resource=resource, subresource=subresource, occurrence=occurrence, when=when
    )
    if (subresource, occurrence) == ("", 2):
        await in_order(world)
        await world.ready()
        world.delete_everything()
        await crash_in(world, trap)
        await world.gone(seconds=30)
        assert world.nothing_left
        return
    creating = asyncio.create_task(in_order(world))
    await crash_in(world, trap)
    await creating
    await live_and_die(world)


async def crash_in(world: Scene, trap: Trap) -> None:
    """Kill the operator when the trap has snapped, and start another one."""
    await eventually(trap.reached.is_set, seconds=20)
    await world.operator.crash()
    trap.release()
    await world.operator.start()


@pytest.mark.parametrize("operation", ["create-group", "create-connector", "register-model"])
@pytest.mark.parametrize("doomed", [False, True], ids=["kept", "deleted meanwhile"])
async def test_an_abandoned_create_that_is_carried_out_late(
    stage: Stage, operation: str, *, doomed: bool
) -> None:
    """The server carries a request out when its sender is dead and its successor has looked already."""
    world = await stage(settings={"quiet_period": "30s"})
    hold = world.ml.hold(operation)
    world.everything()
    await eventually(hold.arrived.is_set, seconds=15)
    await world.operator.crash()
    await world.operator.start()
    search = {"create-group": "search-groups", "create-connector": "search-connectors"}.get(
        operation, "search-models"
    )
    await eventually(lambda: world.ml.count(search) >= 2, seconds=15)
    if doomed:
        world.delete_everything()
    hold.release()
    await eventually(hold.done.is_set)
    if not doomed:
        await world.ready(seconds=30)
        assert world.ml.count(operation) == 1
        world.check_one_each()
        world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left


@pytest.mark.parametrize("version", ["2.19.1", "3.6.0", "3.9.0"])
async def test_lost_answers_to_every_create_at_once(stage: Stage, version: str) -> None:
    world = await stage(version=version)
    for operation in CREATING:
        world.ml.fail(operation, cut=True, carried_out=True)
    world.everything()
    await live_and_die(world)


@pytest.mark.parametrize("call", ["register-model", "deploy-model"])
async def test_task_ids_are_stored_before_anything_waits_for_them(world: Scene, call: str) -> None:
    held = "deploy-model" if call == "register-model" else "get-model"
    await in_order(world)
    if call == "deploy-model":
        world.ml.deploy_outcomes.append("stuck")
    hold = world.ml.hold(held)
    await eventually(hold.arrived.is_set)
    tasks = {task["type"]: task["id"] for task in world.status(MODELS, "model")["tasks"]}
    known = {task["task_type"]: id_ for id_, task in world.ml.tasks.items()}
    assert tasks["Register"] == known["REGISTER_MODEL"]
    if call == "deploy-model":
        assert tasks["Deploy"] == known["DEPLOY_MODEL"]
    hold.release()


async def test_who_met_a_broken_connection_while_it_was_looked_at_is_woken(stage: Stage) -> None:
    world = await stage()
    world.everything()
    await world.ready()
    await world.quiet()
    hold = world.ml.hold("get-info")
    world.look_again(CONNECTIONS, "main")
    await hold.arrived.wait()
    world.ml.fail("get-model", status=401)  # breaks the connection for all
    world.look_again(MODELS, "model")
    await eventually(lambda: not world.is_ready(MODELS, "model"))
    world.look_again(GROUPS, "group")
    await world.becomes(GROUPS, "group", "ReferencesResolved", "ConnectionNotReady")
    hold.release()
    await world.ready()
