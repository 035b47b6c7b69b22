"""Waiting costs nothing, and nothing that is under way is overtaken."""

from __future__ import annotations

import asyncio
import threading
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


def test_an_answer_of_another_loop_comes_before_any_time_out() -> None:
    """The other loop works for a while without a timer of its own; nobody skips ahead of it."""
    clock, listening, port = SkippingClock(), threading.Event(), 0

    async def serve() -> None:
        done = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            sum(range(300_000))
            writer.write(b"answer\n")
            writer.close()
            done.set()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        nonlocal port
        port = server.sockets[0].getsockname()[1]
        listening.set()
        await done.wait()
        server.close()

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"question\n")
        async with asyncio.timeout(5):
            line = await reader.readline()
        writer.close()
        return line

    thread = threading.Thread(target=run, args=(clock, serve()))
    thread.start()
    assert listening.wait(30)
    with asyncio.Runner(loop_factory=clock.new_loop) as runner:
        assert runner.run(ask()) == b"answer\n"
    thread.join()


def test_while_somebody_works_whom_no_loop_knows_of_time_is_real() -> None:
    clock = SkippingClock()

    async def wait() -> None:
        before = time.monotonic()
        with clock.real():
            await asyncio.sleep(0.2)
        assert time.monotonic() - before >= 0.2

    run(clock, wait())
