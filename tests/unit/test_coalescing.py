"""Questions at the same time: how few requests, and whose answer is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from opensearch_ml_operator.coalescing import Coalescer
from opensearch_ml_operator.errors import MLCode, MLError

MOST = 3


class Server:
    """Answers with what stands when a request arrives; each answer takes a permit."""

    def __init__(self) -> None:
        self.state = 0
        self.requests: list[list[str]] = []
        self.failure: MLError | None = None
        self.permits = asyncio.Semaphore(100)
        self.coalescer: Coalescer[str, int] = Coalescer(self.put, most=MOST)

    async def put(self, questions: Sequence[str]) -> int:
        self.requests.append(list(questions))
        state, failure = self.state, self.failure
        await self.permits.acquire()
        if failure is not None:
            raise failure
        return state

    def hold(self) -> None:
        """Give no permits from now on."""
        self.permits = asyncio.Semaphore(0)

    def answer(self, requests: int = 100) -> None:
        """Let so many requests be answered."""
        for _ in range(requests):
            self.permits.release()

    async def ask(self, *questions: str) -> list[asyncio.Task[int]]:
        """Ask, and return when each question waits for its answer."""
        asked = [asyncio.ensure_future(self.coalescer.ask(question)) for question in questions]
        await asyncio.sleep(0)
        return asked


@pytest.fixture
async def server() -> Server:
    return Server()


async def test_a_lone_question_is_put_at_once(server: Server) -> None:
    assert await server.coalescer.ask("a") == 0
    server.state = 1
    assert await server.coalescer.ask("a") == 1
    assert server.requests == [["a"], ["a"]]


async def test_who_asks_meanwhile_shares_the_next_request(server: Server) -> None:
    server.hold()
    first = await server.ask("a")
    others = await server.ask("b", "c")
    server.state = 1
    server.answer()
    assert await asyncio.gather(*first, *others) == [0, 1, 1]
    assert server.requests == [["a"], ["b", "c"]]


async def test_no_answer_is_older_than_its_question(server: Server) -> None:
    server.hold()
    first = await server.ask("a")
    server.state = 1
    (late,) = await server.ask("a")
    server.answer()
    await asyncio.gather(*first)
    assert await late == 1


async def test_a_request_has_a_bound(server: Server) -> None:
    server.hold()
    asked = await server.ask("a", *"bcdef")
    server.answer()
    await asyncio.gather(*asked)
    assert server.requests == [["a"], ["b", "c", "d"], ["e", "f"]]


async def test_a_failure_is_for_those_whom_the_request_was_for(server: Server) -> None:
    server.hold()
    first = await server.ask("a")
    others = await server.ask("b", "c")
    server.failure = MLError(MLCode.AMBIGUOUS, "no answer")
    server.answer()
    results = await asyncio.gather(*first, *others, return_exceptions=True)
    assert results == [0, server.failure, server.failure]
    server.failure = None
    assert await server.coalescer.ask("b") == 0


async def test_who_is_cancelled_leaves_the_others_their_answer(server: Server) -> None:
    server.hold()
    first = await server.ask("a")
    waiting, sending, last = await server.ask("b", "c", "d")
    waiting.cancel()
    server.answer(1)
    await asyncio.gather(*first)
    sending.cancel()  # in the middle of its request
    await asyncio.sleep(0)
    server.state = 1
    server.answer()
    assert await last == 1
    assert server.requests == [["a"], ["b", "c", "d"], ["b", "c", "d"]]
