"""Those who wait until an object is finalized, and the objects that are."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet

from ..errors import OperatorError
from ..models.snapshot import ObjectKey
from .cache import Identity


class StoppingError(OperatorError):
    """The process stops: the object is finalized by the next one."""


class Finalizations:
    """By uid, because a name may have a new owner as soon as the old one is gone."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._finished: dict[str, ObjectKey] = {}
        self._stopping = False

    def is_finished(self, uid: str) -> bool:
        """Whether the object was finalized by this process; what the watch still says of it is history."""
        return uid in self._finished

    async def wait(self, uid: str) -> None:
        """Return when the object is finished or gone; raises StoppingError."""
        if self.is_finished(uid):
            return
        if self._stopping:
            raise StoppingError("the operator is stopping")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(uid, set())
        waiters.add(waiter)
        try:
            await waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiters.get(uid) is waiters:
                del self._waiters[uid]

    def finish(self, uid: str, key: ObjectKey) -> None:
        """Remember that nothing is left to do for the object, and let its waiters go."""
        self._finished[uid] = key
        self._release(uid)

    def gone(self, uid: str) -> None:
        """Let the waiters of an object go that does not exist any more, and forget it."""
        self._finished.pop(uid, None)
        self._release(uid)

    def forget_missing(self, kind: str, live: AbstractSet[Identity]) -> None:
        """Forget the finished objects of the kind that a listing lacks: their DELETED was missed."""
        missing = [uid for uid, key in self._finished.items() if key.kind == kind and (key, uid) not in live]
        for uid in missing:
            del self._finished[uid]

    def stop(self) -> None:
        """Let all waiters go with StoppingError, and those to come."""
        self._stopping = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(StoppingError("the operator is stopping"))

    def _release(self, uid: str) -> None:
        for waiter in self._waiters.get(uid, ()):
            if not waiter.done():
                waiter.set_result(None)
