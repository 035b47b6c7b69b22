"""Deletion: who waits, for what, and what lets them go."""

from __future__ import annotations

import asyncio

import pytest

from opensearch_ml_operator.engine.finalizing import Finalizations, StoppingError
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.outcome import DONE, FINALIZED, Outcome
from unit.engine.builders import FakeReconciler, key, snapshot
from unit.engine.rig import Rig, start

LATER = "2026-01-02T00:00:00Z"
DELETED = snapshot(version=2, deleting=True)


async def test_an_object_under_deletion_is_finalized_and_not_reconciled() -> None:
    async with start() as rig:
        await rig.controller.finalize(DELETED)
        assert rig.models.finalized == [DELETED]
        assert rig.models.reconciled == []


async def test_finalize_returns_only_when_nothing_is_left() -> None:
    steps = iter([Outcome(requeue_after=5.0), Outcome(requeue_after=5.0), FINALIZED])

    async def step(seen: Snapshot) -> Outcome:
        del seen
        return next(steps)

    async with start(FakeReconciler(finalize=step)) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await asyncio.sleep(9)
        assert not waiting.done()
        await asyncio.sleep(2)
        assert waiting.done()
        assert len(rig.models.finalized) == 3


async def test_a_finalized_object_is_known_until_it_is_gone_and_then_wakes_what_it_referred_to() -> None:
    spec = {"connectorRef": {"name": "c"}}
    async with start() as rig:
        connector = snapshot("c", kind="MLConnector")
        rig.controller.observe("ADDED", connector)
        rig.controller.observe("ADDED", snapshot(spec=spec))
        await rig.settle()
        await rig.controller.finalize(snapshot(version=2, deleting=True, spec=spec))
        await rig.settle()
        assert rig.links.dependents(connector.key) == (key(),), "another process would need the connector"
        before = len(rig.connectors.names)
        rig.controller.observe("DELETED", snapshot(version=3, deleting=True, spec=spec))
        await rig.settle()
        assert len(rig.connectors.names) == before + 1
        assert rig.cache.get(key()) is None
        assert rig.links.dependents(connector.key) == ()


async def test_settings_that_are_gone_wake_the_others_of_their_connection() -> None:
    spec = {"connectionRef": {"name": "main"}}
    async with start() as rig:
        for name in ("older", "younger"):
            rig.controller.observe("ADDED", snapshot(name, kind="MLClusterSettings", spec=spec))
        gone = snapshot("older", 2, kind="MLClusterSettings", deleting=True, spec=spec)
        await rig.controller.finalize(gone)
        await rig.settle()
        before = rig.models.names.count("younger")
        rig.controller.observe("DELETED", gone)
        await rig.settle()
        assert rig.models.names.count("younger") == before + 1


async def test_an_object_that_others_still_hold_is_forgotten_without_our_finalizer() -> None:
    spec = {"connectorRef": {"name": "c"}}
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot(spec=spec))
        await rig.controller.finalize(snapshot(version=2, deleting=True, spec=spec))
        for version in (3, 4):
            rig.controller.observe("MODIFIED", snapshot(version=version, deleting=True, finalizer=False))
            assert rig.cache.get(key()) is None
        await rig.settle()
        assert len(rig.models.finalized) == 1


async def test_a_connector_waits_for_its_models_and_goes_after_them() -> None:
    rig = Rig(FakeReconciler())
    connector = snapshot("c", 2, kind="MLConnector", deleting=True)
    model = snapshot(version=3, deleting=True, spec={"connectorRef": {"name": "c"}})

    async def wait_for_models(seen: Snapshot) -> Outcome:
        return DONE if rig.links.dependents(seen.key) else FINALIZED

    rig.connectors._finalize = wait_for_models  # noqa: SLF001 - it needs the rig
    async with rig:
        rig.controller.observe("ADDED", snapshot(spec={"connectorRef": {"name": "c"}}))
        going = asyncio.create_task(rig.controller.finalize(connector))
        await asyncio.sleep(1000)
        assert not going.done()
        await rig.controller.finalize(model)
        await asyncio.sleep(1000)
        assert not going.done(), "its finalizer still stands"
        rig.controller.observe("DELETED", model)
        await asyncio.wait_for(going, 1)


async def test_what_the_watch_says_after_the_end_does_not_finalize_again() -> None:
    async with start() as rig:
        await rig.controller.finalize(DELETED)
        rig.controller.observe("MODIFIED", snapshot(version=3, deleting=True))
        rig.controller.observe(None, snapshot(version=3, deleting=True))
        rig.controller.written(snapshot(version=3, deleting=True))
        await rig.controller.finalize(snapshot(version=3, deleting=True))
        rig.controller.wake(key())
        await rig.settle()
        assert len(rig.models.finalized) == 1


async def test_an_object_finalized_before_kopf_asked_needs_no_second_run() -> None:
    async with start() as rig:
        rig.controller.observe("MODIFIED", DELETED)
        await rig.settle()
        await rig.controller.finalize(DELETED)
        assert len(rig.models.finalized) == 1


async def test_a_successor_of_the_same_name_is_reconciled() -> None:
    async with start() as rig:
        await rig.controller.finalize(DELETED)
        rig.controller.observe("ADDED", snapshot(version=9, uid="second", created=LATER))
        await rig.settle()
        assert [seen.uid for seen in rig.models.reconciled] == ["second"]


@pytest.mark.parametrize("waiters", [1, 3])
async def test_an_object_whose_deletion_was_forced_lets_its_waiters_go(waiters: int) -> None:
    async with start(FakeReconciler(finalize=DONE)) as rig:
        waiting = [asyncio.create_task(rig.controller.finalize(DELETED)) for _ in range(waiters)]
        await rig.settle()
        rig.controller.observe("DELETED", snapshot(version=3, deleting=True))
        await asyncio.wait_for(asyncio.gather(*waiting), 1)
        assert rig.cache.get(key()) is None


async def test_an_object_whose_finalizer_was_taken_off_lets_its_waiters_go() -> None:
    async with start(FakeReconciler(finalize=DONE)) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        rig.controller.observe("MODIFIED", snapshot(version=3, deleting=True, finalizer=False))
        await asyncio.wait_for(waiting, 1)
        assert len(rig.models.finalized) == 1


async def test_an_object_that_was_replaced_lets_its_waiters_go() -> None:
    async with start(FakeReconciler(finalize=DONE)) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        rig.controller.observe("ADDED", snapshot(version=9, uid="second", created=LATER))
        await asyncio.wait_for(waiting, 1)


async def test_finalizing_a_predecessor_returns_at_once_and_spares_the_successor() -> None:
    async with start() as rig:
        rig.controller.observe("ADDED", snapshot(version=9, uid="second", created=LATER))
        await asyncio.wait_for(rig.controller.finalize(DELETED), 1)
        await rig.settle()
        assert rig.models.finalized == []


async def test_a_ghost_lets_its_waiters_go() -> None:
    async def nothing_lives() -> set[tuple[ObjectKey, str]]:
        return set()

    async with start(FakeReconciler(finalize=DONE)) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        await rig.controller.drop_ghosts("RemoteModel", nothing_lives)
        await asyncio.wait_for(waiting, 1)


async def test_finished_objects_are_remembered_until_they_are_gone() -> None:
    live = {(DELETED.key, DELETED.uid)}

    async def list_live() -> set[tuple[ObjectKey, str]]:
        return live

    async with start() as rig:
        await rig.controller.finalize(DELETED)
        await rig.controller.drop_ghosts("RemoteModel", list_live)
        await rig.controller.finalize(DELETED)
        assert len(rig.models.finalized) == 1
        live.clear()
        await rig.controller.drop_ghosts("RemoteModel", list_live)
        await rig.controller.finalize(DELETED)
        assert len(rig.models.finalized) == 2


def test_an_object_that_is_gone_is_not_remembered() -> None:
    finalizations = Finalizations()
    finalizations.finish("uid", key())
    assert finalizations.is_finished("uid")
    finalizations.gone("uid")
    assert not finalizations.is_finished("uid")


async def test_a_waiter_that_gives_up_does_not_disturb_the_others() -> None:
    async with start(FakeReconciler(finalize=Outcome(requeue_after=30.0))) as rig:
        impatient = asyncio.create_task(rig.controller.finalize(DELETED))
        patient = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        impatient.cancel()
        await asyncio.wait([impatient])
        assert impatient.cancelled()
        rig.controller.observe("DELETED", DELETED)
        await asyncio.wait_for(patient, 1)


async def test_waiters_are_told_when_the_process_stops() -> None:
    async with start(FakeReconciler(finalize=Outcome(requeue_after=30.0))) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        rig.controller.release_waiters()
        with pytest.raises(StoppingError):
            await waiting
        with pytest.raises(StoppingError):
            await rig.controller.finalize(DELETED)


async def test_stopping_lets_a_running_finalization_end_well() -> None:
    async def take_ten_seconds(seen: Snapshot) -> Outcome:
        del seen
        await asyncio.sleep(10)
        return FINALIZED

    async with start(FakeReconciler(finalize=take_ten_seconds)) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        await rig.controller.stop()
        await waiting


async def test_stopping_sends_away_those_whose_finalization_did_not_run() -> None:
    async with start(FakeReconciler(finalize=Outcome(requeue_after=30.0))) as rig:
        waiting = asyncio.create_task(rig.controller.finalize(DELETED))
        await rig.settle()
        await rig.controller.stop()
        with pytest.raises(StoppingError):
            await waiting
