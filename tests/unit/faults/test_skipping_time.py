"""Waiting costs nothing, and nothing that is under way is overtaken."""

from __future__ import annotations

import asyncio
import time

from support.faults.skipping_time import SkippingClock

HOUR = 3_600.0


def run(clock: SkippingClock, work: object) -> None:
    with asyncio.Runner(loop_factory=clock.new_loop) as runner:
        runner.run(work)  # type: ignore[arg-type] # a coroutine


def test_hours_pass_at_once_and_in_order() -> None:
    clock, woken = SkippingClock(), []

    async def wait(hours: int) -> None:
        await asyncio.sleep(hours * HOUR)
        woken.append(hours)

    async def all_of_them() -> None:
        await asyncio.gather(*map(wait, (3, 1, 2)))

    before, wall = time.monotonic(), clock.now()
    run(clock, all_of_them())
    assert woken == [1, 2, 3]
    assert time.monotonic() - before < 60
    assert (clock.now() - wall).total_seconds() >= 3 * HOUR


def test_an_answer_of_a_guest_comes_before_any_time_out() -> None:
    """The guest works for a while without a timer of its own; nobody skips ahead of it."""
    clock = SkippingClock()

    async def serve(listening: asyncio.Future[int]) -> None:
        done = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            sum(range(300_000))
            writer.write(b"answer\n")
            writer.close()
            done.set()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        listening.get_loop().call_soon_threadsafe(listening.set_result, server.sockets[0].getsockname()[1])
        await done.wait()
        server.close()

    async def ask() -> None:
        listening = asyncio.get_running_loop().create_future()
        guest = clock.invite(serve(listening))
        reader, writer = await asyncio.open_connection("127.0.0.1", await listening)
        writer.write(b"question\n")
        async with asyncio.timeout(5):
            assert await reader.readline() == b"answer\n"
        writer.close()
        await asyncio.sleep(HOUR)
        assert guest.done

    run(clock, ask())


def test_a_guest_waits_by_the_same_time_and_is_cleared_away() -> None:
    clock = SkippingClock()
    seen: list[str] = []

    async def work() -> None:
        async def left_behind() -> None:
            try:
                await asyncio.sleep(100 * HOUR)
            finally:
                seen.append("cancelled")

        left = asyncio.create_task(left_behind())
        await asyncio.sleep(2 * HOUR)
        assert not left.done()
        seen.append("guest")

    async def host() -> None:
        guest = clock.invite(work())
        await asyncio.sleep(HOUR)
        seen.append("host")
        await asyncio.sleep(1.5 * HOUR)
        assert guest.done

    before = clock.monotonic()
    run(clock, host())
    assert seen == ["host", "guest", "cancelled"]
    assert 2 * HOUR <= clock.monotonic() - before < 3 * HOUR


def test_while_somebody_works_whom_no_loop_knows_of_time_is_real() -> None:
    clock = SkippingClock()

    async def wait() -> None:
        before = time.monotonic()
        with clock.real():
            await asyncio.sleep(0.2)
        assert time.monotonic() - before >= 0.2

    run(clock, wait())
