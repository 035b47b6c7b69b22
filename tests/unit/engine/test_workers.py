"""What each outcome and each error leads to, and how the workers end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random

import pytest

from opensearch_ml_operator.engine.workers import GONE_AGAIN, RunResult
from opensearch_ml_operator.errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    MLCode,
    MLError,
    ObjectGoneError,
    StatusConflictError,
)
from opensearch_ml_operator.models.snapshot import Snapshot
from opensearch_ml_operator.reconcilers.outcome import DONE, RETRY, Outcome
from unit.engine.builders import FakeReconciler, key, snapshot
from unit.engine.rig import Rig, start

SECRET = "hunter2-hunter2"


async def run_one(*script: Outcome | BaseException, seconds: float, chance: float = 1.0) -> Rig:
    """Let one object live through the script."""
    async with start(FakeReconciler(*script), chance=chance) as rig:
        rig.controller.observe("ADDED", snapshot())
        await asyncio.sleep(seconds)
        return rig


async def test_an_object_that_is_done_rests() -> None:
    rig = await run_one(DONE, seconds=100_000)
    assert rig.models.names == ["one"]
    assert rig.observer.results == [RunResult.SUCCESS]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 480.0), (0.5, 600.0), (1.0, 720.0)])
async def test_an_object_comes_back_when_its_outcome_says_give_or_take_a_fifth(
    chance: float, delay: float
) -> None:
    rig = await run_one(Outcome(requeue_after=600.0), DONE, seconds=1000, chance=chance)
    assert rig.models.delays == [pytest.approx(delay, abs=0.01)]


async def test_objects_that_began_one_after_the_other_come_back_together() -> None:
    async with start(FakeReconciler(Outcome(requeue_after=600.0))) as rig:
        for number in range(3):
            await asyncio.sleep(0.2)
            rig.controller.observe("ADDED", snapshot(f"set-{number}"))
        await asyncio.sleep(700)
    assert len(set(rig.models.times[:3])) == 3
    assert len({round(time, 3) for time in rig.models.times[3:6]}) == 1


async def test_the_steps_of_work_under_way_go_before_resyncs() -> None:
    models = FakeReconciler(Outcome(requeue_after=0.05), DONE)
    rig = Rig(models, workers=1)
    settled = {"observedGeneration": 1}
    for number in range(10):
        rig.controller.observe(None, snapshot(f"settled-{number}", status=settled))
    rig.controller.observe("ADDED", snapshot("new"))

    async def slowly(seen: Snapshot) -> Outcome:
        del seen
        await asyncio.sleep(0.1)
        return DONE

    models._script[1] = slowly  # noqa: SLF001 - the runs after the first take their time
    async with rig:
        await asyncio.sleep(5)
    assert models.names[:3] == ["new", "settled-0", "new"]


async def test_between_two_runs_that_await_nothing_everybody_else_has_a_turn() -> None:
    models = FakeReconciler(DONE)
    rig = Rig(models, workers=3)
    for number in range(60):
        rig.controller.observe("ADDED", snapshot(f"set-{number}"))
    runs = [0]
    async with rig:
        while runs[-1] < 60:
            await asyncio.sleep(0)
            runs.append(len(models.names))
    assert max(after - before for before, after in itertools.pairwise(runs)) <= 3


async def test_a_failure_shown_in_the_status_is_retried_with_growing_delays() -> None:
    rig = await run_one(RETRY, RETRY, RETRY, DONE, seconds=600)
    assert rig.models.delays == [pytest.approx(delay, abs=0.01) for delay in (1, 2, 4)]
    assert rig.observer.results == [RunResult.TRANSIENT_ERROR] * 3 + [RunResult.SUCCESS]


async def test_a_retry_waits_as_long_as_the_outcome_asks() -> None:
    rig = await run_one(Outcome(retry=True, requeue_after=45.0), DONE, seconds=600)
    assert rig.models.delays == [pytest.approx(45, abs=0.01)]


async def test_after_a_success_the_delays_start_anew() -> None:
    rig = await run_one(RETRY, RETRY, Outcome(requeue_after=100.0), RETRY, DONE, seconds=600, chance=0.5)
    # The resync is due at 1102.25, and comes on the whole second after that.
    assert rig.models.delays == [pytest.approx(delay, abs=0.01) for delay in (0.75, 1.5, 100.75, 0.75)]


async def test_a_lost_write_is_repeated_at_once_on_the_newer_version() -> None:
    async with start(FakeReconciler(StatusConflictError("409"), DONE)) as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        rig.controller.observe("MODIFIED", snapshot(version=2))
        await asyncio.sleep(1)
        assert [seen.resource_version for seen in rig.models.reconciled] == ["1", "2"]
        assert rig.models.delays == [pytest.approx(0.075, abs=0.01)]
        assert rig.observer.results == [RunResult.CONFLICT, RunResult.SUCCESS]


async def test_conflicts_that_go_on_are_not_repeated_without_measure() -> None:
    rig = await run_one(StatusConflictError("409"), seconds=60)
    assert 5 < len(rig.models.reconciled) < 15


async def test_an_object_that_is_gone_is_let_alone() -> None:
    async with start(FakeReconciler(RETRY, ObjectGoneError("404")), chance=1.0) as rig:
        rig.controller.observe("ADDED", snapshot())
        await asyncio.sleep(10)
        rig.controller.observe("DELETED", snapshot())
        await asyncio.sleep(10_000)
        assert len(rig.models.reconciled) == 2
        assert rig.observer.results[-1] is RunResult.SUCCESS


async def test_an_object_that_was_not_gone_after_all_is_looked_at_again() -> None:
    """An API server that starts may answer 404 for what is there, and no event tells that it was wrong."""
    rig = await run_one(ObjectGoneError("404"), DONE, seconds=60)
    assert rig.models.delays == [pytest.approx(GONE_AGAIN, abs=0.01)]
    assert len(rig.models.reconciled) == 2


async def test_an_object_that_was_gone_starts_with_short_delays_again() -> None:
    async with start(FakeReconciler(RETRY, RETRY, ObjectGoneError("404"), RETRY, DONE), chance=1.0) as rig:
        rig.controller.observe("ADDED", snapshot())
        await asyncio.sleep(10)
        rig.controller.wake(key())
        await asyncio.sleep(10)
        assert rig.models.delays[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    "error",
    [
        KubernetesForbiddenError("may not patch remotemodels/status"),
        MLError(MLCode.AMBIGUOUS, "no answer"),
        KubernetesUnavailableError("connection refused"),
    ],
)
async def test_a_server_that_fails_is_asked_again_later(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await run_one(error, DONE, seconds=600)
    assert rig.models.delays == [pytest.approx(1, abs=0.01)]
    assert rig.observer.results == [RunResult.TRANSIENT_ERROR, RunResult.SUCCESS]
    assert str(error) in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        MLError(MLCode.AMBIGUOUS, "429", retry_after=30.0),
        KubernetesUnavailableError("429", retry_after=30.0),
    ],
)
async def test_a_server_that_says_when_to_come_back_is_heard(error: Exception) -> None:
    rig = await run_one(error, DONE, seconds=600)
    assert rig.models.delays == [pytest.approx(30, abs=0.01)]


async def test_during_an_outage_a_thousand_keys_do_not_hammer_the_api_server() -> None:
    async with start(FakeReconciler(KubernetesUnavailableError("connection refused"))) as rig:
        for number in range(1000):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await asyncio.sleep(77)
        assert 5 < len(rig.models.reconciled) < 30


async def test_after_an_outage_every_key_is_reconciled() -> None:
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 77

    async def answer_when_back(seen: Snapshot) -> Outcome:
        del seen
        if loop.time() < back_at:
            raise KubernetesUnavailableError("connection refused")
        return DONE

    async with start(FakeReconciler(answer_when_back)) as rig:
        for number in range(1000):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await asyncio.sleep(77 + 16)
        reconciled = {
            seen.key
            for seen, at in zip(rig.models.reconciled, rig.models.times, strict=True)
            if at >= back_at
        }
        assert len(reconciled) == 1000


async def test_an_answer_to_a_write_ends_the_outage_for_everybody() -> None:
    async with start(FakeReconciler(KubernetesUnavailableError("connection refused"))) as rig:
        for number in range(100):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await asyncio.sleep(20)
        before = len(rig.models.reconciled)
        rig.models._script[0] = DONE  # noqa: SLF001 - the API server is back
        rig.controller.written(snapshot("m-0", 2))
        await rig.settle()
        assert len(rig.models.reconciled) > before + 50


async def test_a_write_that_needed_no_request_does_not_end_the_outage() -> None:
    async with start(FakeReconciler(KubernetesUnavailableError("connection refused"))) as rig:
        for number in range(100):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await asyncio.sleep(20)
        before = len(rig.models.reconciled)
        known = rig.cache.get(key("m-0"))
        assert known is not None
        rig.controller.written(known)
        await rig.settle()
        assert len(rig.models.reconciled) == before


async def test_a_defect_is_retried_and_tells_its_kind_but_not_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    rig = await run_one(ValueError(f"bad value {SECRET}"), DONE, seconds=600)
    assert len(rig.models.reconciled) == 2
    assert rig.observer.results == [RunResult.TERMINAL_ERROR, RunResult.SUCCESS]
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text


async def test_the_traceback_of_a_defect_is_there_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await run_one(ValueError("bad value"), DONE, seconds=10)
    assert "Traceback" in caplog.text


async def test_one_broken_object_does_not_stop_the_others() -> None:
    async def break_on_one(seen: Snapshot) -> Outcome:
        if seen.key.name == "broken":
            raise RuntimeError
        return DONE

    async with start(FakeReconciler(break_on_one)) as rig:
        for _ in range(3):
            rig.controller.observe(None, snapshot("broken"))
            await asyncio.sleep(100)
        rig.controller.observe("ADDED", snapshot("fine"))
        await rig.settle()
        assert "fine" in rig.models.names


async def test_a_run_that_hangs_is_cut_off_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def hang(seen: Snapshot) -> Outcome:
        del seen
        await asyncio.sleep(1_000_000)
        return DONE

    async with start(FakeReconciler(hang, DONE), chance=1.0) as rig:
        rig.controller.observe("ADDED", snapshot())
        await asyncio.sleep(200)
        assert rig.models.delays == [pytest.approx(121, abs=0.01)]
        assert rig.observer.results == [RunResult.TERMINAL_ERROR, RunResult.SUCCESS]
        assert "longer than 120 s" in caplog.text


async def test_a_time_out_inside_a_run_is_not_taken_for_the_limit_of_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await run_one(TimeoutError(), DONE, seconds=10)
    assert "TimeoutError" in caplog.text


async def test_a_cancellation_inside_a_run_does_not_cost_a_worker() -> None:
    rig = await run_one(*[asyncio.CancelledError()] * 8, DONE, seconds=600)
    assert len(rig.models.reconciled) == 9  # twice as many as there are workers, and one
    assert rig.observer.results[-1] is RunResult.SUCCESS


async def test_an_object_is_never_in_two_runs_and_no_change_is_lost() -> None:
    async def take_a_while(seen: Snapshot) -> Outcome:
        await asyncio.sleep(0.1 + int(seen.resource_version) % 7)
        return DONE

    chance = random.Random(7)  # noqa: S311 - a reproducible load, not a secret
    async with start(FakeReconciler(take_a_while)) as rig:
        for version in range(1, 200):
            name = f"m-{chance.randrange(6)}"
            rig.controller.observe("MODIFIED", snapshot(name, version, generation=version))
            await asyncio.sleep(chance.random())
        await asyncio.sleep(100)
        assert rig.models.overlaps == 0
        for number in range(6):
            last = [seen for seen in rig.models.reconciled if seen.key.name == f"m-{number}"][-1]
            assert last == rig.cache.get(last.key)


async def test_ten_thousand_objects_are_each_reconciled_once() -> None:
    async with start() as rig:
        for number in range(10_000):
            rig.controller.observe("ADDED", snapshot(f"m-{number}", spec={"connectorRef": {"name": "c"}}))
        await rig.settle()
        assert len(set(rig.models.names)) == len(rig.models.names) == 10_000
        rig.controller.observe("ADDED", snapshot("c", kind="MLConnector"))
        await rig.settle()
        assert len(rig.models.names) == 20_000


async def test_stopping_waits_for_what_runs_and_starts_nothing_more() -> None:
    finished = []

    async def take_ten_seconds(seen: Snapshot) -> Outcome:
        await asyncio.sleep(10)
        finished.append(seen.key.name)
        return Outcome(requeue_after=0.1)

    async with start(FakeReconciler(take_ten_seconds)) as rig:
        for number in range(50):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await rig.settle()
        await rig.controller.stop()
        rig.controller.observe("ADDED", snapshot("late"))
        await asyncio.sleep(100)
    assert sorted(finished) == [f"m-{number}" for number in range(4)]
    assert len(rig.models.names) == 4


async def test_stopping_cuts_off_what_does_not_end_in_time() -> None:
    loop = asyncio.get_running_loop()

    async def hang(seen: Snapshot) -> Outcome:
        del seen
        await asyncio.sleep(110)
        return DONE

    async with start(FakeReconciler(hang)) as rig:
        rig.controller.observe("ADDED", snapshot())
        await rig.settle()
        started = loop.time()
        await rig.controller.stop()
        assert loop.time() - started == pytest.approx(20, abs=0.1)
    assert rig.observer.results == [RunResult.CANCELLED]
    assert rig.controller.vitals().processing == 0


async def test_stopping_during_an_outage_takes_no_time() -> None:
    loop = asyncio.get_running_loop()
    async with start(FakeReconciler(KubernetesUnavailableError("connection refused"))) as rig:
        for number in range(50):
            rig.controller.observe("ADDED", snapshot(f"m-{number}"))
        await asyncio.sleep(20)
        started = loop.time()
        await rig.controller.stop()
        assert loop.time() - started < 0.1


async def test_an_engine_that_is_stopped_before_it_ran_ends_at_once() -> None:
    rig = Rig(FakeReconciler())
    rig.controller.observe("ADDED", snapshot())
    await rig.controller.stop()
    await rig.controller.run()
    assert rig.models.names == []


async def test_a_kind_without_a_reconciler_ends_the_engine_loudly() -> None:
    rig = Rig(FakeReconciler())
    rig.controller.observe("ADDED", snapshot(kind="Unheard"))
    with pytest.raises(ExceptionGroup) as raised:
        await rig.controller.run()
    assert raised.group_contains(KeyError)
