"""MLClusterSettings: handed over from one object to another, and put back in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.reconcilers.settings.claims import TRUSTED
from unit.reconcilers.driving import Driver
from unit.reconcilers.settings.world import MAIN, World, X, Y


async def test_the_older_wins_and_the_other_takes_over_when_it_goes(world: World) -> None:
    old = world.add("old", settings={"x": 1})
    young = world.add("young", settings={"x": 2, "y": 2})
    await young.once()
    await old.rest()
    await young.once()
    assert world.stands == {X: "1", Y: "2"}
    assert young.condition("Synced") == ("False", "Conflict")
    assert f"{X} by old" in young.message("Synced")
    assert young.condition("Stalled") == ("True", "Conflict")

    world.stage.pool.woken.clear()
    await world.gone(old)
    assert world.stage.pool.woken == [young.key]
    await young.rest()
    assert world.stands == {X: "2", Y: "2"}
    assert young.condition("Ready") == ("True", "Succeeded")

    await world.gone(young)
    assert world.stands == {}


async def test_an_older_object_that_wants_it_later_gets_it_back_to_back(world: World) -> None:
    old = world.add("old")
    young = world.add("young", settings={"x": 2})
    await young.rest()
    world.edit(old, settings={"x": 1})
    world.stage.pool.woken.clear()
    await old.once()
    assert world.stands == {X: "2"}
    assert old.condition("Synced") == ("False", "Conflict")
    assert world.stage.pool.woken == [young.key]
    await young.once()
    assert world.stands == {}
    assert old.key in world.stage.pool.woken
    await old.rest()
    assert world.stands == {X: "1"}
    assert old.status["previous"] == {X: {}}


async def test_who_waits_for_a_setting_hears_when_the_spec_no_longer_names_it(world: World) -> None:
    old = world.add("old", settings={"x": 1})
    await old.rest()
    young = world.add("young", settings={"x": 2})
    await young.once()
    world.edit(old, settings={"y": 1})
    world.stage.pool.woken.clear()
    await old.once()
    assert world.stage.pool.woken == [young.key]
    await young.once()

    assert world.stands == {X: "2", Y: "1"}


@pytest.mark.parametrize(
    ("how", "stands"),
    [("leave", {X: "1"}), ("retain", {X: "1"}), ("restore", {})],
)
async def test_what_deletion_leaves(world: World, how: str, stands: dict[str, Any]) -> None:
    one = world.add("one", settings={"x": 1}, **({"onDelete": "Leave"} if how == "leave" else {}))
    await one.rest()
    if how == "retain":
        world.stage.pool.unavailable.add(MAIN)
        annotations = {"opensearchml.io/deletion-policy": "Retain"}
        world.stage.store.change(one.key, annotations=annotations)
    await world.gone(one)

    assert world.stands == stands
    assert ("Retained" in world.stage.events.reasons) == bool(stands)


async def test_deletion_waits_for_the_cluster(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()
    one.delete()
    world.stage.clock.seconds += 10
    world.stage.pool.unavailable.add(MAIN)
    assert not (await one.once()).finalized
    assert one.condition("Deletable") == ("False", "ConnectionUnavailable")
    world.stage.pool.unavailable.clear()
    world.cluster.fail("update_settings", MLCode.FORBIDDEN)
    assert not (await one.once()).finalized
    world.cluster.fail("read_settings", MLCode.AMBIGUOUS)
    assert not (await one.once()).finalized

    assert (await one.rest()).finalized
    assert world.stands == {}


async def test_deletion_ends_only_when_what_stood_before_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()

    async def pretend(changes: Mapping[str, Any]) -> None:
        assert changes == {X: None}

    with monkeypatch.context() as patch:
        patch.setattr(world.cluster, "update_settings", pretend)
        one.delete()
        assert (await one.once()).retry
    assert (await one.rest()).finalized
    assert world.stands == {}


async def test_deletion_works_for_a_spec_that_no_longer_parses(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()
    world.edit(one, settings="x", resyncInterval="never")
    await world.gone(one)

    assert world.stands == {}


async def test_a_record_that_cannot_be_read_is_not_lost(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()
    broken = {**one.status, "trustedEndpoints": "x"}
    world.stage.store.objects[one.key] = replace(one.snapshot, status=broken)
    one.delete()
    with pytest.raises(Exception, match=r"status\.trustedEndpoints cannot be read"):
        await one.once()


NAMES = ("a", "b", "c")
SPECS = st.fixed_dictionaries(
    {
        "settings": st.dictionaries(st.sampled_from(["x", "y", TRUSTED]), st.sampled_from(["1", "2"])),
        "add": st.lists(st.sampled_from(["d1", "m", "n"]), unique=True),
    }
)
MOVES = st.one_of(
    st.tuples(st.just("spec"), st.sampled_from(NAMES), SPECS),
    st.tuples(st.sampled_from(["delete", "run", "lose"]), st.sampled_from(NAMES), st.none()),
)
STANDS = st.sampled_from([{}, {X: "0"}, {TRUSTED: ["o"]}, {X: "0", TRUSTED: ["o", "n"]}])


def spec_of(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return a spec that is either without the whole list or without entries of it."""
    if not drawn["add"]:
        return {"settings": drawn["settings"]}
    chosen = {name: value for name, value in drawn["settings"].items() if name != TRUSTED}
    return {"settings": chosen, "trustedEndpoints": {"add": drawn["add"]}}


async def move_on(
    world: World, drivers: dict[str, Driver], move: str, name: str, drawn: dict[str, Any] | None
) -> None:
    driver = drivers.get(name)
    if drawn is not None:
        if driver is None:
            drivers[name] = world.add(name, **spec_of(drawn))
        elif not driver.snapshot.deleting:
            world.edit(driver, **spec_of(drawn))
    elif driver is not None:
        if move == "delete":
            driver.delete()
        elif move == "lose":
            world.cluster.fail("update_settings", MLCode.AMBIGUOUS, carried_out=True)
        if (await driver.once()).finalized:
            world.forget(drivers.pop(name))


@given(STANDS, st.lists(MOVES, max_size=25))
@settings(max_examples=150)
async def test_whatever_happens_all_stands_as_before_in_the_end(
    before: dict[str, Any], moves: list[tuple[str, str, Any]]
) -> None:
    world = World(**before)
    drivers: dict[str, Driver] = {}
    for move, name, drawn in moves:
        await move_on(world, drivers, move, name, drawn)
    for _ in range(6):
        for driver in drivers.values():
            await driver.once()
    staying = [driver for driver in drivers.values() if not driver.snapshot.deleting]
    assert {driver.condition("Synced")[1] for driver in staying} <= {"Succeeded", "Conflict"}
    for driver in drivers.values():
        await world.gone(driver)

    assert world.stands == before
