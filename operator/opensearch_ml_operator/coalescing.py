"""Questions that are asked at the same time, put to the server as one request.

While a request is under way, who asks waits for the next one, which asks for all who wait. So every answer is
younger than its question, and a lone question waits for nobody.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .errors import OperatorError

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")


@dataclass(slots=True)
class _Batch(Generic[QuestionT, AnswerT]):
    answer: asyncio.Future[AnswerT]
    questions: list[QuestionT] = field(default_factory=list)


class Coalescer(Generic[QuestionT, AnswerT]):
    """One request at a time, which asks at most `most` questions; its answer is for all of them."""

    def __init__(
        self, put: Callable[[Sequence[QuestionT]], Awaitable[AnswerT]], *, most: float = math.inf
    ) -> None:
        self._put = put
        self._most = most
        self._next: _Batch[QuestionT, AnswerT] | None = None
        self._asking = asyncio.Lock()

    async def ask(self, question: QuestionT) -> AnswerT:
        """Return the answer of a request that began after this call; raises the OperatorError of that."""
        batch = self._next
        if batch is None or len(batch.questions) == self._most:
            batch = self._next = _Batch(asyncio.get_running_loop().create_future())
        batch.questions.append(question)
        async with self._asking:
            if not batch.answer.done():  # nobody has put it, or who did was cancelled
                if self._next is batch:
                    self._next = None
                try:
                    batch.answer.set_result(await self._put(batch.questions))
                except OperatorError as error:
                    batch.answer.set_exception(error)
        return await batch.answer
