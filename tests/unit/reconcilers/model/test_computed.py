"""Tasks, workers and the arithmetic of the healing budget."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.models.model import Healing, HealingStatus, Task, Workers
from opensearch_ml_operator.reconcilers.model.computed import (
    KEPT_TASKS,
    attempted,
    budget,
    finished,
    is_refused,
    started,
    unexplained,
    workers,
)
from opensearch_ml_operator.reconcilers.model.plan import Budget
from opensearch_ml_operator.reconcilers.records import timestamp
from support.memory_clock import START

HEALING = Healing()
NOW = "2026-01-01T00:00:00Z"


def spend(healing: Healing, seconds: int, every: int = 1) -> list[int]:
    """Attempt as soon as the budget lets us; return when."""
    status: HealingStatus | None = None
    times = []
    for second in range(0, seconds, every):
        now = START + timedelta(seconds=second)
        left = budget(healing, status, now=now)
        if left.enabled and not left.exhausted and left.wait == 0:
            status = attempted(status, left, now=now)
            times.append(second)
    return times


def test_attempts_become_rarer_and_end_until_the_window_is_over() -> None:
    assert spend(HEALING, 3700) == [0, 10, 30, 70, 150, 3600, 3610, 3630, 3670]


def test_no_pause_is_longer_than_five_minutes() -> None:
    times = spend(Healing(max_attempts=100, window="24h"), 4000)

    assert max(after - before for before, after in pairwise(times)) == 300


def test_healing_that_is_off_makes_no_attempt() -> None:
    assert spend(Healing(enabled=False), 100) == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="none"),
        pytest.param({"attempts": 99}, id="no-window"),
        pytest.param({"attempts": 99, "windowStart": "soon"}, id="no-time"),
        pytest.param({"attempts": 99, "windowStart": "2025-12-31T23:00:00Z"}, id="window-over"),
        pytest.param({"attempts": 99, "windowStart": "2026-01-01T00:00:01Z"}, id="window-in-the-future"),
    ],
)
def test_a_record_without_a_current_window_is_a_fresh_start(status: dict[str, Any]) -> None:
    left = budget(HEALING, HealingStatus.model_validate(status), now=START)

    assert left == Budget(enabled=True, exhausted=False, wait=0.0, attempts=0)


@given(attempts=st.integers(0, 10**6), begun=st.integers(-5000, 5000), due=st.integers(-(10**6), 10**9))
def test_whatever_is_recorded_the_wait_is_bounded(attempts: int, begun: int, due: int) -> None:
    status = HealingStatus(
        attempts=attempts,
        window_start=timestamp(START + timedelta(seconds=begun)),
        next_attempt_time=timestamp(START + timedelta(seconds=due)),
    )
    left = budget(HEALING, status, now=START)

    assert 0 <= left.wait <= (3600 if left.exhausted else 300)
    assert left.exhausted == (attempts >= 5 and -3600 < begun <= 0)


def test_the_last_five_tasks_are_kept() -> None:
    tasks: list[Task] = []
    for number in range(8):
        tasks = started(tasks, "Deploy", f"t{number}", now=NOW, state="RUNNING")

    assert [task.id for task in tasks] == ["t3", "t4", "t5", "t6", "t7"]
    assert len(tasks) == KEPT_TASKS


def test_a_task_without_an_id_is_none() -> None:
    assert started([], "Register", "", now=NOW, state="COMPLETED") == []


def test_a_register_is_over_when_it_answers_and_a_deploy_when_its_end_is_seen() -> None:
    tasks = started([], "Register", "r", now=NOW, state="COMPLETED")
    tasks = started(tasks, "Deploy", "d", now=NOW, state="RUNNING")
    ended = finished(tasks, now=NOW, state="FAILED", error="no")

    assert [(task.state, task.finished_at, task.error) for task in tasks] == [
        ("COMPLETED", NOW, None),
        ("RUNNING", None, None),
    ]
    assert [(task.state, task.finished_at, task.error) for task in ended] == [
        ("COMPLETED", NOW, None),
        ("FAILED", NOW, "no"),
    ]


def test_the_last_deploy_is_asked_about_until_its_error_is_known() -> None:
    later = "2026-01-01T00:00:09Z"
    assert unexplained(started([], "Register", "r", now=NOW, state="COMPLETED")) is None
    tasks = started([], "Deploy", "d", now=NOW, state="RUNNING")
    assert unexplained(tasks) == tasks[0]
    failed = finished(tasks, now=NOW, state="FAILED")
    assert unexplained(failed) == failed[0]
    explained = finished(failed, now=later, state="FAILED", error="no")
    assert unexplained(explained) is None
    assert (explained[0].error, explained[0].finished_at) == ("no", NOW)
    assert unexplained(finished(tasks, now=NOW, state="COMPLETED")) is None


def test_only_the_last_deploy_tells_whether_a_node_refuses_it() -> None:
    tasks = started([], "Deploy", "t1", now=NOW, state="RUNNING")
    assert not is_refused(tasks)
    tasks = finished(tasks, now=NOW, state="FAILED", error='{"node2":"Duplicate deploy model task"}')
    assert is_refused(tasks)
    tasks = started(tasks, "Deploy", "t2", now=NOW, state="RUNNING")
    assert not is_refused(tasks)
    assert not is_refused(finished(tasks, now=NOW, state="FAILED", error="no memory left"))


@pytest.mark.parametrize(
    ("planned", "current", "counts"),
    [(3, 2, (3, 2)), (None, None, (0, 0)), (-1, "2", (0, 0))],
    ids=["numbers", "absent", "hostile"],
)
def test_workers_are_the_servers_counts(planned: Any, current: Any, counts: tuple[int, int]) -> None:
    shown = {"planning_worker_node_count": planned, "current_worker_node_count": current}

    assert workers(shown) == Workers(planned=counts[0], current=counts[1])
