from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from opensearch_ml_operator.engine.queue import PATIENCE, KeyedQueue, Priority
from opensearch_ml_operator.models.snapshot import ObjectKey
from unit.engine.builders import key

A, B, C = key("a"), key("b"), key("c")


class Clock:
    """Monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_queue(clock: Callable[[], float], *, chance: float = 1.0) -> KeyedQueue:
    """`chance` 1 leaves a retry delay whole, 0 halves it."""
    return KeyedQueue(clock=clock, random=lambda: chance)


@pytest.fixture
def queue(clock: Clock) -> KeyedQueue:
    return make_queue(clock)


def drain(queue: KeyedQueue) -> list[ObjectKey]:
    taken = []
    while (taken_key := queue.take()) is not None:
        taken.append(taken_key)
        queue.done(taken_key)
    return taken


def test_keys_come_out_in_the_order_in_which_they_went_in(queue: KeyedQueue) -> None:
    for each in (B, A, C):
        queue.add(each)
    assert drain(queue) == [B, A, C]


def test_a_waiting_key_is_not_added_twice(queue: KeyedQueue) -> None:
    queue.add(A)
    queue.add(B)
    queue.add(A)
    assert drain(queue) == [A, B]


def test_a_key_in_process_is_not_handed_out_again(queue: KeyedQueue) -> None:
    queue.add(A)
    assert queue.take() == A
    queue.add(A)
    assert queue.take() is None
    assert queue.processing == 1


def test_a_key_added_while_in_process_runs_once_more_after_done(queue: KeyedQueue) -> None:
    queue.add(A)
    queue.take()
    queue.add(A)
    queue.add(A)
    queue.done(A)
    assert drain(queue) == [A]


def test_a_key_not_added_while_in_process_does_not_run_again(queue: KeyedQueue) -> None:
    queue.add(A)
    queue.take()
    queue.done(A)
    assert queue.take() is None
    assert queue.processing == 0


def test_what_is_under_way_goes_before_what_is_new_and_that_before_resyncs(queue: KeyedQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.URGENT)
    queue.add(C, Priority.UNDER_WAY)
    assert drain(queue) == [C, B, A]


def test_an_urgent_addition_moves_a_waiting_resync_to_the_front(queue: KeyedQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.RESYNC)
    queue.add(B, Priority.URGENT)
    assert drain(queue) == [B, A]


def test_a_resync_does_not_demote_a_waiting_urgent_key(queue: KeyedQueue) -> None:
    queue.add(A, Priority.URGENT)
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.URGENT)
    assert drain(queue) == [A, B]


def test_the_most_urgent_of_the_additions_during_a_run_counts(queue: KeyedQueue) -> None:
    queue.add(A)
    queue.take()
    queue.add(A, Priority.RESYNC)
    queue.add(A, Priority.URGENT)
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.RESYNC)
    queue.done(A)
    assert drain(queue) == [A, B]


def test_a_flood_of_urgent_keys_does_not_starve_the_resyncs(queue: KeyedQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.RESYNC)
    for number in range(100):
        queue.add(key(f"urgent-{number}"))
    order = drain(queue)
    every = PATIENCE[Priority.RESYNC] + 1
    assert (order.index(A), order.index(B)) == (every - 1, 2 * every - 1)


def test_a_flood_of_keys_under_way_does_not_starve_the_others(queue: KeyedQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.URGENT)
    queue.add(C, Priority.URGENT)
    for number in range(100):
        queue.add(key(f"step-{number}"), Priority.UNDER_WAY)
    order = drain(queue)
    every = PATIENCE[Priority.URGENT] + 1
    assert (order.index(B), order.index(C)) == (every - 1, 2 * every - 1)
    assert order.index(A) == PATIENCE[Priority.RESYNC]


def test_a_delayed_key_is_handed_out_when_it_is_due(queue: KeyedQueue, clock: Clock) -> None:
    queue.add_after(A, 10.0)
    clock.now = 9.9
    assert queue.take() is None
    clock.now = 10.0
    assert queue.take() == A


@pytest.mark.parametrize("delays", [(10.0, 5.0), (5.0, 10.0), (10.0, 5.0, 7.0)])
def test_of_several_delays_the_earliest_counts_and_only_once(
    queue: KeyedQueue, clock: Clock, delays: tuple[float, ...]
) -> None:
    for delay in delays:
        queue.add_after(A, delay)
    assert queue.planned == 1
    clock.now = 5.0
    assert drain(queue) == [A]
    clock.now = 20.0
    assert drain(queue) == []


def test_of_several_delays_the_most_urgent_priority_counts(queue: KeyedQueue, clock: Clock) -> None:
    queue.add_after(A, 5.0, Priority.RESYNC)
    queue.add_after(A, 10.0, Priority.URGENT)
    clock.now = 5.0
    queue.add(B, Priority.RESYNC)
    assert drain(queue) == [A, B]


def test_a_run_in_between_fulfils_what_was_planned(queue: KeyedQueue, clock: Clock) -> None:
    queue.add_after(A, 10.0)
    queue.add(A)
    assert drain(queue) == [A]
    clock.now = 10.0
    assert drain(queue) == []


def test_what_is_planned_during_a_run_is_kept(queue: KeyedQueue, clock: Clock) -> None:
    queue.add(A)
    queue.take()
    queue.add_after(A, 10.0)
    queue.done(A)
    clock.now = 10.0
    assert drain(queue) == [A]


def test_a_key_that_falls_due_during_its_run_runs_once_more(queue: KeyedQueue, clock: Clock) -> None:
    queue.add(A)
    queue.take()
    queue.add_after(A, 10.0)
    clock.now = 10.0
    assert queue.take() is None
    queue.done(A)
    assert drain(queue) == [A]


def test_a_plan_that_a_run_has_overtaken_does_not_bring_a_later_one_forward(
    queue: KeyedQueue, clock: Clock
) -> None:
    queue.add_after(A, 10.0)
    queue.add(A)
    drain(queue)
    queue.add_after(A, 20.0)
    clock.now = 10.0
    assert queue.take() is None
    clock.now = 20.0
    assert queue.take() == A


@pytest.mark.parametrize("delay", [0.0, -1.0])
def test_a_delay_of_nothing_is_now(queue: KeyedQueue, delay: float) -> None:
    queue.add_after(A, delay)
    assert queue.take() == A


@pytest.mark.parametrize(("chance", "due"), [(0.0, 80.0), (0.5, 100.0), (1.0, 120.0)])
def test_a_spread_shortens_or_lengthens_the_delay(clock: Clock, chance: float, due: float) -> None:
    queue = make_queue(clock, chance=chance)
    queue.add_after(A, 100.0, spread=0.2)
    clock.now = due - 0.001
    assert queue.take() is None
    clock.now = due + 0.001
    assert queue.take() == A


def test_retry_delays_double_up_to_a_minute(queue: KeyedQueue) -> None:
    assert [queue.retry(A) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_random_half_is_cut_off_the_retry_delay(clock: Clock) -> None:
    queue = make_queue(clock, chance=0.0)
    assert [queue.retry(A) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_thousands_of_retries_do_not_overflow(queue: KeyedQueue) -> None:
    assert [queue.retry(A) for _ in range(5000)][-1] == 60


def test_retries_are_counted_per_key_and_start_anew_after_forget(queue: KeyedQueue) -> None:
    assert [queue.retry(A), queue.retry(A), queue.retry(B)] == [1, 2, 1]
    queue.forget(A)
    assert queue.retry(A) == 1


def test_a_retry_waits_at_least_as_long_as_asked_for(queue: KeyedQueue, clock: Clock) -> None:
    assert queue.retry(A, at_least=30.0) == 30
    clock.now = 29.0
    assert queue.take() is None
    clock.now = 30.0
    assert queue.take() == A


def test_a_change_does_not_wait_for_the_retry(queue: KeyedQueue) -> None:
    queue.retry(A, at_least=60.0)
    queue.add(A)
    assert queue.take() == A


def test_a_retry_may_start_shorter_and_be_urgent(queue: KeyedQueue, clock: Clock) -> None:
    queue.add(B, Priority.RESYNC)
    assert queue.retry(A, first=0.1, priority=Priority.URGENT) == 0.1
    assert queue.retry(A, first=0.1, priority=Priority.URGENT) == 0.2
    clock.now = 0.1
    assert drain(queue) == [A, B]


def test_depth_and_age_tell_what_waits(queue: KeyedQueue, clock: Clock) -> None:
    assert (queue.depth, queue.oldest_wait) == (0, 0)
    queue.add(A, Priority.RESYNC)
    clock.now = 3.0
    queue.add(B)
    clock.now = 5.0
    assert (queue.depth, queue.oldest_wait) == (2, 5)
    queue.take()
    assert (queue.depth, queue.oldest_wait, queue.processing) == (1, 5, 1)
    queue.take()
    assert (queue.depth, queue.oldest_wait, queue.processing) == (0, 0, 2)


def test_replanning_for_ever_does_not_fill_the_memory(queue: KeyedQueue) -> None:
    for _ in range(10_000):
        queue.add_after(A, 600.0)
        queue.add(A)
        drain(queue)
    assert queue.planned == 0
    assert len(queue._heap) < 100  # noqa: SLF001 - the one place where the leak would be


def test_ten_thousand_keys_lose_none_and_run_each_once(queue: KeyedQueue, clock: Clock) -> None:
    keys = [key(f"m-{number}") for number in range(10_000)]
    shuffled = random.Random(1).sample(keys, len(keys))  # noqa: S311 - an order, not a secret
    for number, each in enumerate(shuffled):
        queue.add_after(each, float(number % 600))
        queue.add_after(each, float(number % 300))
    clock.now = 300.0
    assert sorted(drain(queue)) == sorted(keys)


async def test_a_getter_waits_for_a_key() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(10)
    assert not getter.done()
    queue.add(A)
    assert await getter == A


async def test_a_getter_wakes_when_a_delayed_key_is_due() -> None:
    loop = asyncio.get_running_loop()
    queue = make_queue(loop.time)
    started = loop.time()
    queue.add_after(A, 600.0)
    assert await queue.get() == A
    assert loop.time() - started == pytest.approx(600)


async def test_a_waiting_getter_notices_an_earlier_due_time() -> None:
    loop = asyncio.get_running_loop()
    queue = make_queue(loop.time)
    started = loop.time()
    queue.add_after(A, 600.0)
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add_after(B, 4.0)
    assert await getter == B
    assert loop.time() - started == pytest.approx(5)
    assert await queue.get() == A
    assert loop.time() - started == pytest.approx(600)


async def test_a_getter_that_was_woken_for_nothing_is_woken_again() -> None:
    loop = asyncio.get_running_loop()
    queue = make_queue(loop.time)
    started = loop.time()
    queue.add_after(A, 5.0)
    queue.add(A)
    drain(queue)
    queue.add_after(A, 20.0)
    assert await queue.get() == A
    assert loop.time() - started == pytest.approx(20)


async def test_each_of_many_getters_receives_its_own_key() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    for each in (A, B):
        queue.add(each)
    queue.add_after(C, 5.0)
    assert set(await asyncio.gather(*getters)) == {A, B, C}


async def test_a_cancelled_getter_passes_its_key_on() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add(A)  # wakes the first getter, which is cancelled before it runs
    first.cancel()
    assert await second == A
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_cancelled_waiting_getter_takes_nothing() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    first = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.wait([first])
    queue.add(A)
    assert await queue.get() == A


async def test_close_wakes_all_getters_and_ends_the_intake() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    queue.add_after(B, 600.0)
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.close()
    assert await asyncio.gather(*getters) == [None, None, None]
    queue.add(A)
    queue.add_after(A, 1.0)
    queue.retry(A)
    assert await queue.get() is None
    assert (queue.depth, queue.take()) == (0, None)


async def test_after_close_not_even_waiting_keys_are_handed_out() -> None:
    queue = make_queue(asyncio.get_running_loop().time)
    queue.add(A)
    queue.close()
    assert await queue.get() is None
