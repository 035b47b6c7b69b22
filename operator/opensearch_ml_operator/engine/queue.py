"""The work queue: which object is reconciled next.

The contract is that of the work queue of Kubernetes' Go client (`client-go/util/workqueue`), with three
priorities: a key waits at most once, is never processed by two workers at a time, and runs once more when it
was added while being processed. No key is ever lost; many changes of one object become one run.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from ..models.snapshot import ObjectKey

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 60.0


class Priority(IntEnum):
    """What goes first; the smaller the earlier."""

    UNDER_WAY = 0
    """The next step of what has been begun, or what it waited for has come: first finish, then begin more."""
    URGENT = 1
    """Somebody waits: a user's change, an object that is new or unfinished."""
    RESYNC = 2
    """A periodic comparison, a retry, an object seen at start that looks finished."""


PATIENCE: Final = {Priority.UNDER_WAY: 0, Priority.URGENT: 3, Priority.RESYNC: 15}
"""How many keys of higher priority go first while one waits: a flood must not starve it."""


class KeyedQueue:
    """Keys that are waiting, due later, or being processed. Used from one event loop; not thread-safe.

    `clock` is monotonic and `random` uniform in [0, 1); times in seconds.
    """

    def __init__(self, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._waiting: dict[Priority, OrderedDict[ObjectKey, float]] = {
            priority: OrderedDict() for priority in Priority
        }
        self._processing: set[ObjectKey] = set()
        self._again: dict[ObjectKey, Priority] = {}
        self._planned: dict[ObjectKey, tuple[float, Priority]] = {}
        self._heap: list[tuple[float, ObjectKey]] = []
        self._failures: dict[ObjectKey, int] = {}
        self._passed_over = dict.fromkeys(Priority, 0)
        self._getters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._closed = False

    @property
    def depth(self) -> int:
        """Number of keys that could be processed now, were there workers enough."""
        return sum(len(waiting) for waiting in self._waiting.values())

    @property
    def processing(self) -> int:
        """Number of keys being processed."""
        return len(self._processing)

    @property
    def planned(self) -> int:
        """Number of keys that are due later."""
        return len(self._planned)

    @property
    def oldest_wait(self) -> float:
        """Seconds that the longest waiting key has been waiting at its priority; 0 when none waits."""
        heads = [next(iter(waiting.values())) for waiting in self._waiting.values() if waiting]
        return max(self._clock() - min(heads), 0.0) if heads else 0.0

    def add(self, key: ObjectKey, priority: Priority = Priority.URGENT) -> None:
        """Have the key processed as soon as possible; once, however often it is added before."""
        if self._closed:
            return
        if key in self._processing:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        before = next((each for each, waiting in self._waiting.items() if key in waiting), None)
        if before is None:
            self._waiting[priority][key] = self._clock()
            self._wake_one()
        elif priority < before:
            del self._waiting[before][key]
            self._waiting[priority][key] = self._clock()

    def add_after(
        self, key: ObjectKey, delay: float, priority: Priority = Priority.RESYNC, *, spread: float = 0.0
    ) -> None:
        """Have the key processed after `delay`; of several wishes the earliest and most urgent count.

        The next run fulfils the wish, even when it was started earlier by something else. `spread` is the
        part of the delay by which it is shortened or lengthened at random; a resync comes on the whole second
        after that, because of thousands it costs less to wake many at once.
        """
        if delay <= 0:
            self.add(key, priority)
            return
        if self._closed:
            return
        due = self._clock() + delay * (1.0 + spread * (2.0 * self._random() - 1.0))
        if spread and priority is Priority.RESYNC:
            due = math.ceil(due)
        planned = self._planned.get(key)
        if planned is not None:
            priority = min(priority, planned[1])
            if planned[0] <= due:
                self._planned[key] = (planned[0], priority)
                return
        self._planned[key] = (due, priority)
        heapq.heappush(self._heap, (due, key))
        self._drop_stale_entries()
        if self._getters:
            self._set_alarm()

    def retry(
        self,
        key: ObjectKey,
        *,
        first: float = FIRST_RETRY,
        at_least: float = 0.0,
        priority: Priority = Priority.RESYNC,
    ) -> float:
        """Have the key processed after a delay that doubles with each retry since `forget`; return the delay.

        From `first` to 60 s, of which up to a half is cut off at random; never less than `at_least`.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = min(LAST_RETRY, first * 2.0 ** min(failures, 30))
        delay = max(longest * (0.5 + 0.5 * self._random()), at_least)
        self.add_after(key, delay, priority)
        return delay

    def forget(self, key: ObjectKey) -> None:
        """Start the key's retry delays from the beginning."""
        self._failures.pop(key, None)

    def take(self) -> ObjectKey | None:
        """Take the next key that is ready, or None; every key taken must be given to `done`."""
        if self._closed:
            return None
        self._ready_what_is_due()
        waiting = [priority for priority in Priority if self._waiting[priority]]
        if not waiting:
            return None
        patient = (each for each in reversed(waiting) if self._passed_over[each] >= PATIENCE[each])
        chosen = next(patient, waiting[0])
        for each in Priority:
            if each is chosen or each not in waiting:
                self._passed_over[each] = 0
            else:
                self._passed_over[each] += each > chosen
        key, _ = self._waiting[chosen].popitem(last=False)
        self._planned.pop(key, None)
        self._processing.add(key)
        return key

    async def get(self) -> ObjectKey | None:
        """Wait for the next key that is ready for processing; None once the queue is closed."""
        while not self._closed:
            key = self.take()
            if key is not None:
                return key
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            self._set_alarm()
            try:
                await getter
            except asyncio.CancelledError:
                if not getter.cancelled():
                    self._wake_one()  # the key that this getter was woken for is another's now
                raise
        return None

    def done(self, key: ObjectKey) -> None:
        """End the processing of the key; it waits again when it was added meanwhile."""
        self._processing.discard(key)
        priority = self._again.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    def close(self) -> None:
        """Hand out nothing more and wake all getters; the next process sees what still waits."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._getters:
            self._wake_one()

    def _ready_what_is_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            planned = self._planned.get(key)
            if planned is not None and planned[0] == due:
                del self._planned[key]
                self.add(key, planned[1])

    def _drop_stale_entries(self) -> None:
        if len(self._heap) > 2 * len(self._planned) + 64:
            self._heap = [(due, key) for key, (due, _) in self._planned.items()]
            heapq.heapify(self._heap)

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_alarm(self) -> None:
        """Wake getters when the next key is due; only while somebody waits, others look for themselves."""
        if not self._heap:
            return
        due = self._heap[0][0]
        if self._alarm is not None:
            if self._alarm_at <= due:
                return  # it rings in time, or too early and is set again
            self._alarm.cancel()
        self._alarm_at = due
        delay = max(due - self._clock(), 0.0)
        self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._ready_what_is_due()
        if self._getters:
            self._set_alarm()
