"""MLClusterSettings: held, kept, handed over and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.outcome import Outcome
from opensearch_ml_operator.reconcilers.settings import SettingsReconciler
from opensearch_ml_operator.reconcilers.settings_claims import TRUSTED
from support.memory_ports import CONNECTION, NAMESPACE, MemoryOpenSearch, Stage
from unit.reconcilers.driving import Driver

KIND = "MLClusterSettings"
X, Y = "plugins.ml_commons.x", "plugins.ml_commons.y"
DEFAULT = ["d1", "d2"]
MAIN = ObjectKey("OpenSearchConnection", NAMESPACE, CONNECTION)


class World:
    """One cluster, one operator, and some objects in the order in which they were made."""

    def __init__(self, **persistent: Any) -> None:
        self.stage = Stage()
        self.cluster: MemoryOpenSearch = self.stage.cluster()
        self.cluster.settings["defaults"] = {TRUSTED: DEFAULT}
        self.cluster.settings["persistent"] = persistent
        self.reconciler = SettingsReconciler(self.stage.ports())
        self.made = 0

    @property
    def stands(self) -> Mapping[str, Any]:
        return self.cluster.settings["persistent"]

    def add(self, name: str, **spec: Any) -> Driver:
        self.made += 1
        created = f"2026-01-01T00:00:{self.made:02}Z"
        whole = {"connectionRef": {"name": CONNECTION}, **spec}
        key = self.stage.add(KIND, name, spec=whole, created=created).key
        self.stage.links[MAIN] = (*self.stage.links.get(MAIN, ()), key)
        return Driver(self.stage, self.reconciler, key)

    def edit(self, driver: Driver, **spec: Any) -> None:
        self.stage.store.change(driver.key, spec={"connectionRef": {"name": CONNECTION}, **spec})

    async def gone(self, driver: Driver) -> None:
        """Delete an object, and forget it when it may go."""
        driver.delete()
        assert (await driver.rest()).finalized
        self.forget(driver)

    def forget(self, driver: Driver) -> None:
        del self.stage.store.objects[driver.key]
        self.stage.links[MAIN] = tuple(key for key in self.stage.links[MAIN] if key != driver.key)


@pytest.fixture
def world() -> World:
    return World()


async def test_set_kept_changed_and_put_back() -> None:
    world = World(**{X: "before"})
    one = world.add("one", settings={"x": 1, Y: True})
    await one.rest()
    assert world.stands == {X: "1", Y: "true"}
    assert one.status["previous"] == {X: {"value": "before"}, Y: {}}
    assert one.condition("Ready") == ("True", "Succeeded")

    world.edit(one, settings={"x": [2, 3]})
    await one.rest()
    assert world.stands == {X: ["2", "3"]}
    assert list(one.status["previous"]) == [X]

    await world.gone(one)
    assert world.stands == {X: "before"}


async def test_it_costs_two_writes_and_three_requests_and_nothing_at_rest(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()
    assert len(world.stage.store.writes) == 2
    assert world.cluster.calls == ["read_settings", "update_settings", "read_settings"]

    await one.rest()
    assert len(world.stage.store.writes) == 2
    assert world.cluster.calls[3:] == ["read_settings"]


async def test_what_stood_is_on_record_before_anything_is_sent(world: World) -> None:
    one = world.add("one", settings={"x": 1}, trustedEndpoints={"add": ["n"]})
    world.cluster.fail("update_settings", MLCode.NOT_SENT)
    await one.once()

    assert one.status["previous"] == {X: {}}
    assert one.status["trustedEndpoints"] == {"default": True, "before": DEFAULT, "added": ["n"]}
    assert world.stands == {}


async def test_without_the_record_nothing_is_sent(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    seen = one.snapshot
    world.stage.store.change(one.key, annotations={"changed": "meanwhile"})
    with pytest.raises(Exception, match="has changed"):
        await world.reconciler.reconcile(seen)

    assert world.cluster.count("update_settings") == 0


@pytest.mark.parametrize("restart", [False, True])
async def test_a_change_whose_answer_is_lost_is_looked_at(world: World, *, restart: bool) -> None:
    one = world.add("one", settings={"x": 1})
    world.cluster.fail("update_settings", MLCode.AMBIGUOUS, carried_out=True)
    await one.once()
    assert one.condition("Synced") == ("False", "Throttled")
    if restart:
        one = Driver(world.stage, SettingsReconciler(world.stage.ports()), one.key)
    await one.once()

    assert one.condition("Ready") == ("True", "Succeeded")
    assert world.cluster.count("update_settings") == 1
    assert one.status["previous"] == {X: {}}


async def test_a_change_that_is_carried_out_late_is_still_undone_at_the_end(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    world.cluster.fail("update_settings", MLCode.AMBIGUOUS)
    await one.once()
    one.delete()
    outcome = await one.once()
    assert not outcome.finalized
    assert 0 < (outcome.requeue_after or 0) <= world.stage.quiet_period
    world.cluster.settings["persistent"] = {X: "1"}

    assert (await one.rest()).finalized
    assert world.stands == {}


async def test_a_change_that_is_carried_out_late_is_found_without_a_resync(world: World) -> None:
    one = world.add("one", settings={"x": 1}, resyncInterval="0s")
    world.cluster.fail("update_settings", MLCode.AMBIGUOUS)
    await one.once()
    world.edit(one, settings={"x": 2}, resyncInterval="0s")
    outcome = await one.once()
    assert outcome.requeue_after is not None
    world.cluster.settings["persistent"] = {X: "1"}
    world.stage.clock.seconds += outcome.requeue_after
    await one.once()

    assert world.stands == {X: "2"}
    assert "unclearSince" not in one.status
    assert (await one.once()) == Outcome()


async def test_drift_is_put_back_until_somebody_insists(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    await one.rest()
    for _ in range(2):
        world.cluster.settings["persistent"] = {X: "9"}
        await one.once()
        assert world.stands == {X: "1"}
    assert world.stage.events.reasons.count("DriftCorrected") == 2
    world.cluster.settings["persistent"] = {X: "9"}
    await one.once()
    assert one.condition("Synced") == ("False", "DriftLoop")
    assert world.stands == {X: "9"}

    world.edit(one, settings={"x": 1}, resyncInterval="5m")
    await one.once()
    assert world.stands == {X: "1"}
    assert one.condition("Ready") == ("True", "Succeeded")


async def test_a_refusal_is_told_in_the_server_s_words_and_mended(world: World) -> None:
    one = world.add("one", settings={"x": "many"})
    world.cluster.fail("update_settings", MLCode.REJECTED)
    await one.once()
    assert one.condition("Synced") == ("False", "Rejected")
    assert "update_settings failed" in one.message("Synced")
    world.edit(one, settings={"y": 1})
    await one.rest()

    assert world.stands == {Y: "1"}
    assert list(one.status["previous"]) == [Y]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"trustedEndpoints": {"add": ["["]}}, "Rejected"),
        ({"settings": {"plugins.security.x": 1}}, "InvalidSpec"),
        ({"settings": "x"}, "InvalidSpec"),
    ],
)
async def test_what_must_not_be_sent_is_not(world: World, spec: dict[str, Any], reason: str) -> None:
    one = world.add("one", **spec)
    assert await one.once() == Outcome()

    assert one.condition("Synced") == ("False", reason)
    assert one.condition("Stalled") == ("True", reason)
    assert world.cluster.calls == []


async def test_a_change_that_does_not_show_is_no_success(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    update = world.cluster.update_settings

    async def pretend(changes: Mapping[str, Any]) -> None:
        await update(dict.fromkeys(changes))

    world.cluster.update_settings = pretend  # type: ignore[method-assign]
    assert (await one.once()).retry
    assert one.condition("Ready") == ("False", "Updating")
    await one.once()
    await one.once()
    await one.once()
    assert one.condition("Ready") == ("False", "DriftLoop")


async def test_a_transient_value_that_wins_is_told(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    world.cluster.settings["transient"] = {X: "9"}
    await one.once()
    assert one.condition("Ready") == ("False", "Conflict")
    assert X in one.message("Ready")
    world.cluster.settings["transient"] = {}
    await one.once()

    assert one.condition("Ready") == ("True", "Succeeded")


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


async def test_one_at_a_time_on_a_connection(world: World) -> None:
    one = world.add("one", settings={"x": 1})
    gate = world.stage.pool.gate(MAIN, "settings")
    other = ObjectKey(KIND, NAMESPACE, "other")
    assert gate.try_enter(other, "settings")
    await one.once()
    assert world.cluster.calls == []
    gate.leave(other)
    assert world.stage.pool.woken == [one.key]
    await one.once()

    assert world.stands == {X: "1"}
    assert gate.try_enter(other, "settings")


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
@settings(deadline=None, max_examples=150)
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
