"""The pace of requests, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from opensearch_ml_operator.opensearch.pace import Pace
from unit.engine.virtual_time import VirtualTimeLoop


def now() -> float:
    return asyncio.get_running_loop().time()


async def passed(pace: Pace, number: int) -> list[float]:
    """Return when each of so many, who come together, gets through, in the order in which they came."""
    begun = now()

    async def one() -> float:
        await pace.turn()
        return now() - begun

    return await asyncio.gather(*(one() for _ in range(number)))


def run(check: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(check())


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    async def check() -> None:
        times = await passed(Pace(4, 3, now), 7)
        assert times == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1], abs=1e-3)

    run(check)


def test_a_pause_earns_a_burst_and_no_more() -> None:
    async def check() -> None:
        pace = Pace(4, 3, now)
        await passed(pace, 5)
        await asyncio.sleep(100)
        times = await passed(pace, 5)
        assert times == pytest.approx([0, 0, 0, 0.25, 0.5], abs=1e-3)

    run(check)


def test_a_short_pause_earns_what_its_length_is_worth() -> None:
    async def check() -> None:
        pace = Pace(4, 3, now)
        await passed(pace, 3)
        await asyncio.sleep(0.5)
        assert await passed(pace, 3) == pytest.approx([0, 0, 0.25], abs=1e-3)

    run(check)


def test_whoever_is_cancelled_does_not_hold_the_others_up_for_longer() -> None:
    async def check() -> None:
        pace = Pace(1, 1, now)
        waiting = [asyncio.create_task(passed(pace, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting[1].cancel()
        assert await waiting[0] == pytest.approx([0], abs=1e-3)
        assert await waiting[2] == pytest.approx([2], abs=1e-3)

    run(check)
