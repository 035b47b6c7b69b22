"""The parts of a RemoteModel's status that are computed: tasks, workers, the healing budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from ...models.common import seconds
from ...models.model import Healing, HealingStatus, Task, Workers
from ...models.probe import ProbeStatus
from ..records import moment, timestamp
from .plan import Budget

KEPT_TASKS = 5
_FIRST_DELAY = 10.0
_LONGEST_DELAY = 300.0


def started(
    tasks: Sequence[Task], type_: Literal["Register", "Deploy"], task_id: str, *, now: str, state: str
) -> list[Task]:
    """Return the tasks with a new one. A register is finished when it answers, a deploy is not."""
    if not task_id:
        return list(tasks)
    finished = now if state == "COMPLETED" else None
    task = Task(type=type_, id=task_id, state=state, started_at=now, finished_at=finished)
    return [*tasks, task][-KEPT_TASKS:]


def unexplained(tasks: Sequence[Task]) -> Task | None:
    """Return the last deploy task if it may have failed and its error is not known: that comes a bit late."""
    last = _last_deploy(tasks)
    return last if last is not None and (last.finished_at is None or _lacks_error(last)) else None


def finished(tasks: Sequence[Task], *, now: str, state: str, error: str | None = None) -> list[Task]:
    """Return the tasks with the unfinished ones ended: the model's state is a better witness than they."""
    last = unexplained(tasks)
    return [
        task.model_copy(update={"state": state, "finished_at": task.finished_at or now, "error": error})
        if task.finished_at is None or (task is last and error is not None)
        else task
        for task in tasks
    ]


def is_refused(tasks: Sequence[Task]) -> bool:
    """Whether a node has refused the last deploy for what an earlier one had left in its memory.

    A deploy that fails on a node, such as one that joins and cannot read the connector yet, leaves an entry
    there that only an undeploy takes away (`MLModelManager`, `MLModelCacheHelper`; seen on 2.19 and 3.6).
    """
    last = _last_deploy(tasks)
    return last is not None and "Duplicate deploy model task" in (last.error or "")


def workers(observed: Mapping[str, Any]) -> Workers:
    """Return the server's counts of nodes."""
    return Workers(
        planned=_count(observed.get("planning_worker_node_count")),
        current=_count(observed.get("current_worker_node_count")),
    )


def budget(healing: Healing, status: HealingStatus | None, *, now: datetime) -> Budget:
    """Return what healing may still do now."""
    status = status or HealingStatus()
    begun = moment(status.window_start)
    window = timedelta(seconds=seconds(healing.window))
    if begun is None or not begun <= now < begun + window:
        return Budget(enabled=healing.enabled, exhausted=False, wait=0.0, attempts=0)
    if status.attempts >= healing.max_attempts:
        left = (begun + window - now).total_seconds()
        return Budget(enabled=healing.enabled, exhausted=True, wait=left, attempts=status.attempts)
    due = moment(status.next_attempt_time)
    wait = min(_LONGEST_DELAY, max(0.0, (due - now).total_seconds())) if due else 0.0
    return Budget(enabled=healing.enabled, exhausted=False, wait=wait, attempts=status.attempts)


def attempted(status: HealingStatus | None, spent: Budget, *, now: datetime) -> HealingStatus:
    """Return the record after one more attempt; the pause before the next one doubles."""
    begun = status.window_start if status is not None and spent.attempts else timestamp(now)
    delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0**spent.attempts)
    return HealingStatus(
        attempts=spent.attempts + 1,
        window_start=begun,
        next_attempt_time=timestamp(now + timedelta(seconds=delay)),
    )


def unprobed(status: ProbeStatus | None) -> ProbeStatus | None:
    """Return the record of the last probe of a model that is deployed anew: it says nothing any more."""
    return status and status.model_copy(update={"hash": None})


def _last_deploy(tasks: Sequence[Task]) -> Task | None:
    return next((task for task in reversed(tasks) if task.type == "Deploy"), None)


def _lacks_error(task: Task) -> bool:
    return task.state == "FAILED" and task.error is None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
