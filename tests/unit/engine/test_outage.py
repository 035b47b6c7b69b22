from __future__ import annotations

import asyncio

import pytest

from opensearch_ml_operator.engine.outage import OutageGate


def make_gate() -> OutageGate:
    return OutageGate(clock=asyncio.get_running_loop().time, random=lambda: 1.0)


async def let_through(gate: OutageGate, times: int) -> list[float]:
    """Return when each entry was let through, in seconds from now."""
    loop = asyncio.get_running_loop()
    started, entries = loop.time(), []

    async def enter() -> None:
        if await gate.enter():
            entries.append(round(loop.time() - started, 1))

    await asyncio.gather(*(enter() for _ in range(times)))
    return entries


async def test_an_open_gate_lets_everybody_through_at_once() -> None:
    assert await let_through(make_gate(), 3) == [0, 0, 0]


async def test_during_an_outage_single_runs_get_through_at_growing_intervals() -> None:
    gate = make_gate()
    gate.failed()
    assert not gate.is_open
    assert await let_through(gate, 6) == [1, 3, 7, 15, 30, 45]


async def test_failures_of_runs_that_were_under_way_do_not_lengthen_the_outage() -> None:
    gate = make_gate()
    for _ in range(32):
        gate.failed()
    assert await let_through(gate, 1) == [1]


async def test_the_first_good_run_lets_everybody_through() -> None:
    gate = make_gate()
    gate.failed()
    waiting = asyncio.create_task(let_through(gate, 3))
    await asyncio.sleep(2)
    gate.passed()
    assert await waiting == [1, 2, 2]
    assert gate.is_open


async def test_a_good_run_that_proves_nothing_keeps_the_intervals() -> None:
    gate = make_gate()
    gate.failed()
    await gate.enter()
    gate.passed()
    gate.failed()
    assert await let_through(gate, 1) == [4]


async def test_an_answer_of_the_server_starts_the_intervals_anew() -> None:
    gate = make_gate()
    gate.failed()
    await gate.enter()
    gate.answered()
    gate.failed()
    assert await let_through(gate, 1) == [1]


async def test_a_failure_long_after_the_last_one_starts_the_intervals_anew() -> None:
    gate = make_gate()
    gate.failed()
    await gate.enter()
    gate.passed()
    await asyncio.sleep(61)
    gate.failed()
    assert await let_through(gate, 1) == [1]


@pytest.mark.parametrize(("retry_after", "expected"), [(0.1, 1), (20.0, 20), (3600.0, 60)])
async def test_what_the_server_asks_for_is_honoured_within_bounds(
    retry_after: float, expected: float
) -> None:
    gate = make_gate()
    gate.failed(retry_after)
    assert await let_through(gate, 1) == [expected]


async def test_the_end_of_the_process_sends_everybody_home() -> None:
    gate = make_gate()
    gate.failed()
    waiting = asyncio.create_task(let_through(gate, 3))
    await asyncio.sleep(0.5)
    gate.shut_down()
    assert await waiting == []
    assert not await gate.enter()
