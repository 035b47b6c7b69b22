"""Which events of the watch lead to which runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.outcome import RETRY, Outcome
from unit.engine.builders import FakeReconciler, key, ready, snapshot
from unit.engine.rig import Rig, start

REQUESTED = "opensearchml.io/reconcile-requested-at"
LATER = "2026-01-02T00:00:00Z"
USES_C = {"connectorRef": {"name": "c"}}


def connector(version: int = 1, **more: Any) -> Any:
    return snapshot("c", version, kind="MLConnector", **more)


async def test_a_new_object_is_reconciled() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        assert rig.models.names == ["one"]


async def test_nothing_happens_before_our_finalizer_stands() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot(finalizer=False))
        await rig.settle()
        assert rig.models.names == []
        rig.controller.observe("MODIFIED", snapshot(version=2))
        await rig.settle()
        assert rig.models.names == ["one"]


@pytest.mark.parametrize(
    "change", [{"generation": 2}, {"annotations": {REQUESTED: "now"}}], ids=["spec", "annotation"]
)
async def test_a_users_change_is_reconciled(change: dict[str, Any]) -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        rig.controller.observe("MODIFIED", snapshot(version=2, **change))
        await rig.settle()
        assert [seen.resource_version for seen in rig.models.reconciled] == ["1", "2"]


async def test_the_echo_of_our_own_status_write_is_not_reconciled() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        after_write = snapshot(version=2, status=ready())
        rig.controller.written(after_write)
        rig.controller.observe("MODIFIED", after_write)
        await rig.settle()
        assert len(rig.models.reconciled) == 1


async def test_each_version_is_told_once_whoever_has_it_first() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        rig.controller.written(snapshot(version=2))
        rig.controller.observe("MODIFIED", snapshot(version=2))
        rig.controller.observe("MODIFIED", snapshot(version=3))
        rig.controller.written(snapshot(version=3))
        assert rig.observer.versions == [(None, "1"), ("1", "2"), ("2", "3")]


async def test_an_echo_that_comes_before_the_answer_is_not_reconciled_either() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        after_write = snapshot(version=2, status=ready())
        rig.controller.observe("MODIFIED", after_write)
        rig.controller.written(after_write)
        await rig.settle()
        assert len(rig.models.reconciled) == 1


async def test_the_next_run_reads_what_was_written_though_the_watch_lags() -> None:
    async with start(FakeReconciler(Outcome(requeue_after=60.0))) as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        rig.controller.written(snapshot(version=5, status={"id": "abc"}))
        rig.controller.observe("MODIFIED", snapshot(version=3))
        await asyncio.sleep(100)
        assert rig.models.reconciled[-1].status == {"id": "abc"}


async def test_a_change_first_seen_in_the_answer_to_a_write_is_reconciled() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        rig.controller.written(snapshot(version=3, generation=2))
        rig.controller.observe("MODIFIED", snapshot(version=2, generation=2))
        await rig.settle()
        assert [seen.generation for seen in rig.models.reconciled] == [1, 2]


async def test_a_listing_reconciles_every_version_that_was_not_heard_of() -> None:
    async with start() as rig:
        for version in (1, 2):
            rig.controller.observe(None, snapshot(version=version))
            await rig.settle()
        assert rig.models.names == ["one", "one"]


async def test_of_what_a_listing_shows_as_it_is_known_nothing_was_missed() -> None:
    async with start() as rig:
        for version in (2, 2, 1):
            rig.controller.observe(None, snapshot(version=version))
            await rig.settle()
        assert rig.models.names == ["one"]


async def test_of_a_listing_the_unfinished_objects_go_first() -> None:
    settled = {"observedGeneration": 1, "lastHandledReconcileAt": "then"}
    rig = Rig(FakeReconciler(), workers=1)
    rig.controller.observe(None, snapshot("settled", status=settled))
    rig.controller.observe(None, snapshot("handled", status=settled, annotations={REQUESTED: "then"}))
    rig.controller.observe(None, snapshot("new"))
    rig.controller.observe(None, snapshot("edited", status=settled, generation=2))
    rig.controller.observe(None, snapshot("asked", status=settled, annotations={REQUESTED: "now"}))
    async with rig:
        await rig.settle()
        assert rig.models.names == ["new", "edited", "asked", "settled", "handled"]


async def test_of_a_listing_connections_go_before_who_is_at_rest() -> None:
    settled = {"observedGeneration": 1}
    rig = Rig(FakeReconciler(), workers=1)
    rig.controller.observe(None, snapshot("model", status=settled))
    rig.controller.observe(None, snapshot("main", kind="OpenSearchConnection", status=settled))
    async with rig:
        await rig.settle()
        assert rig.models.names == ["main", "model"]


async def test_a_change_of_what_a_connector_shows_wakes_its_models() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        rig.controller.observe("ADDED", snapshot("stranger"))
        await rig.settle()
        rig.models.reconciled.clear()
        rig.controller.written(connector(2, status=ready(id="abc")))
        await rig.settle()
        assert rig.models.names == ["user"]


@pytest.mark.parametrize(
    ("before", "after", "woken"),
    [
        ({"connectorID": "old"}, {"connectorID": "new"}, ["c"]),
        ({"connectorID": "old"}, {}, ["c"]),
        ({"state": "DEPLOYED"}, {"state": "UNDEPLOYED"}, ["c"]),
        ({"state": "PARTIALLY_DEPLOYED"}, {}, ["c"]),
        ({}, {"connectorID": "new", "state": "DEPLOYED"}, []),
        ({"connectorID": "old", "state": "DEPLOYING"}, {"connectorID": "old", "state": "DEPLOYED"}, []),
    ],
)
async def test_a_model_that_moves_on_wakes_its_connector_and_no_other_does(
    before: dict[str, Any], after: dict[str, Any], woken: list[str]
) -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C, status=before))
        await rig.settle()
        rig.connectors.reconciled.clear()
        rig.controller.written(snapshot("user", 2, spec=USES_C, status=after))
        await rig.settle()
        assert rig.connectors.names == woken


async def test_an_echo_does_not_wake_the_dependents_again() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        rig.controller.written(connector(2, status=ready(id="abc")))
        await rig.settle()
        rig.models.reconciled.clear()
        rig.controller.observe("MODIFIED", connector(2, status=ready(id="abc")))
        rig.controller.observe("MODIFIED", connector(3, status=ready(id="abc", lastSyncTime=LATER)))
        await rig.settle()
        assert rig.models.names == []


async def test_a_model_is_woken_when_its_connector_appears_later() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        await rig.settle()
        rig.controller.observe("ADDED", connector())
        await rig.settle()
        assert rig.models.names == ["user", "user"]


async def test_a_deleted_model_wakes_the_connector_that_waits_for_it() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        await rig.settle()
        rig.controller.observe("DELETED", snapshot("user", 2, spec=USES_C))
        await rig.settle()
        assert rig.connectors.names == ["c", "c"]
        assert rig.cache.get(key("user")) is None
        assert rig.links.dependents(connector().key) == ()


async def test_a_model_that_moves_to_another_connector_wakes_the_old_one() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        await rig.settle()
        rig.controller.observe(
            "MODIFIED", snapshot("user", 2, generation=2, spec={"connectorRef": {"name": "d"}})
        )
        await rig.settle()
        assert rig.connectors.names == ["c", "c"]


async def test_a_deleted_connector_wakes_its_models() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("user", spec=USES_C))
        await rig.settle()
        rig.controller.observe("DELETED", connector(2))
        await rig.settle()
        assert rig.models.names == ["user", "user"]


async def test_the_deletion_of_a_predecessor_leaves_the_successor_alone() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot(uid="first"))
        rig.controller.observe("ADDED", snapshot(version=9, uid="second", created=LATER))
        rig.controller.observe("DELETED", snapshot(version=8, uid="first"))
        await rig.settle()
        known = rig.cache.get(key())
        assert known is not None
        assert known.uid == "second"


async def test_waking_reconciles_a_known_object() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        rig.controller.wake(key())
        await rig.settle()
        assert rig.models.names == ["one", "one"]


async def test_waking_an_unknown_object_is_no_work() -> None:
    rig = Rig(FakeReconciler())
    rig.controller.wake(key("unknown"))
    assert rig.controller.vitals().waiting == 0


async def test_a_successor_does_not_inherit_the_retry_delays() -> None:
    async with start(FakeReconciler(RETRY), chance=1.0) as rig:
        rig.controller.observe("ADDED", snapshot(uid="first"))
        await asyncio.sleep(14)  # retries after 1, 2, 4 s; the next would come 8 s later
        rig.controller.observe("DELETED", snapshot(version=2, uid="first"))
        rig.models.times.clear()
        rig.controller.observe("ADDED", snapshot(version=3, uid="second", created=LATER))
        await asyncio.sleep(5)
        assert rig.models.delays == [pytest.approx(1, abs=0.01), pytest.approx(2, abs=0.01)]


async def test_ghosts_are_dropped_and_wake_what_waited_for_them() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())
        rig.controller.observe("ADDED", snapshot("ghost", spec=USES_C))
        rig.controller.observe("ADDED", snapshot("alive", spec=USES_C))
        await rig.settle()

        async def list_live() -> set[tuple[ObjectKey, str]]:
            rig.controller.observe("ADDED", snapshot("created-meanwhile"))
            return {(key("alive"), snapshot("alive").uid)}

        assert await rig.controller.drop_ghosts("RemoteModel", list_live) == (key("ghost"),)
        await rig.settle()
        assert rig.cache.get(key("ghost")) is None
        assert rig.cache.get(key("created-meanwhile")) is not None
        assert rig.links.dependents(connector().key) == (key("alive"),)
        assert rig.connectors.names == ["c", "c"]


async def test_ghosts_of_one_kind_are_not_judged_by_a_listing_of_another() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", connector())

        async def nothing_lives() -> set[tuple[ObjectKey, str]]:
            return set()

        assert await rig.controller.drop_ghosts("RemoteModel", nothing_lives) == ()
        assert rig.cache.get(connector().key) is not None


async def test_an_idle_engine_is_healthy_for_ever() -> None:
    async with start() as rig:
        await asyncio.sleep(100_000)
        vitals = rig.controller.vitals()
        assert vitals.healthy
        assert (vitals.waiting, vitals.processing, vitals.oldest_wait) == (0, 0, 0)


async def test_an_engine_whose_workers_do_not_come_back_is_not_healthy() -> None:
    rig = Rig(FakeReconciler())
    rig.controller.observe("ADDED", snapshot())
    await asyncio.sleep(299)
    assert rig.controller.vitals().healthy
    await asyncio.sleep(2)
    vitals = rig.controller.vitals()
    assert not vitals.healthy
    assert vitals.waiting == 1
    assert vitals.oldest_wait > 300
