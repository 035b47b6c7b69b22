"""The queue against a naive model of its contract, over random sequences of calls."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from opensearch_ml_operator.engine.queue import PATIENCE, KeyedQueue, Priority
from opensearch_ml_operator.models.snapshot import ObjectKey
from unit.engine.builders import key

KEYS = [key(name) for name in "abcd"]
keys = st.sampled_from(KEYS)
priorities = st.sampled_from(Priority)
delays = st.integers(min_value=0, max_value=8).map(float)


class QueueModel(RuleBasedStateMachine):
    """`wanted` holds the keys that must run, with their priority; `planned` the due times and priorities."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = KeyedQueue(clock=lambda: self.now, random=lambda: 1.0)
        self.wanted: dict[ObjectKey, Priority] = {}
        self.planned: dict[ObjectKey, tuple[float, Priority]] = {}
        self.processing: set[ObjectKey] = set()
        self.failures: dict[ObjectKey, int] = {}
        self.passed_over = dict.fromkeys(Priority, 0)

    def want(self, each: ObjectKey, priority: Priority) -> None:
        self.wanted[each] = min(priority, self.wanted.get(each, priority))

    def plan(self, each: ObjectKey, delay: float, priority: Priority) -> None:
        if delay <= 0:
            self.want(each, priority)
            return
        due, first = self.planned.get(each, (math.inf, priority))
        self.planned[each] = (min(due, self.now + delay), min(first, priority))

    def fall_due(self) -> None:
        for each, (due, priority) in list(self.planned.items()):
            if due <= self.now:
                del self.planned[each]
                self.want(each, priority)

    @rule(each=keys, priority=priorities)
    def add(self, each: ObjectKey, priority: Priority) -> None:
        self.queue.add(each, priority)
        self.want(each, priority)

    @rule(each=keys, delay=delays, priority=priorities)
    def add_after(self, each: ObjectKey, delay: float, priority: Priority) -> None:
        self.queue.add_after(each, delay, priority)
        self.plan(each, delay, priority)

    @rule(each=keys)
    def retry(self, each: ObjectKey) -> None:
        failures = self.failures.get(each, 0)
        expected = min(60.0, 2.0**failures)
        assert self.queue.retry(each) == expected
        self.failures[each] = failures + 1
        self.plan(each, expected, Priority.RESYNC)

    @rule(each=keys)
    def forget(self, each: ObjectKey) -> None:
        self.queue.forget(each)
        self.failures.pop(each, None)

    @rule(seconds=delays)
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        self.fall_due()
        taken = self.queue.take()
        runnable = {each: self.wanted[each] for each in self.wanted if each not in self.processing}
        if taken is None:
            assert not runnable
            return
        assert taken in runnable
        for priority in Priority:
            if priority is runnable[taken] or priority not in runnable.values():
                self.passed_over[priority] = 0
            else:
                self.passed_over[priority] += priority > runnable[taken]
            # One more when a resync is due at the same time.
            assert self.passed_over[priority] <= PATIENCE[priority] + 1
        del self.wanted[taken]
        self.planned.pop(taken, None)
        self.processing.add(taken)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(sorted(self.processing)))
        self.queue.done(each)
        self.processing.discard(each)

    @invariant()
    def it_counts_what_is_processed(self) -> None:
        assert self.queue.processing == len(self.processing)

    @override
    def teardown(self) -> None:
        """All keys that were wanted or planned are handed out in the end, and only those."""
        for each in self.processing:
            self.queue.done(each)
        self.now += 1000.0
        self.fall_due()
        left = set(self.wanted)
        while (taken := self.queue.take()) is not None:
            left.remove(taken)
            self.queue.done(taken)
        assert not left


QueueModel.TestCase.settings = settings(max_examples=200, stateful_step_count=60)
TestQueueModel = QueueModel.TestCase
