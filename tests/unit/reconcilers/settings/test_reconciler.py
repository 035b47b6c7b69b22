"""MLClusterSettings: held and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.outcome import Outcome
from opensearch_ml_operator.reconcilers.settings.reconciler import SettingsReconciler
from support.memory_ports import NAMESPACE
from unit.reconcilers.driving import Driver
from unit.reconcilers.settings.world import DEFAULT, KIND, MAIN, World, X, Y


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
