"""Runs a reconciler as the engine does, on objects in memory, with time that jumps to the next run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.outcome import Outcome, Reconciler
from support.memory_ports import Stage

LITTLE = 100
"""Calls of Python functions in a run that finds everything as it was; a whole run makes a thousand."""
RETRY = 1.0
RESTING = 300.0
"""Seconds from which on a wait counts as rest."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One process and one object."""

    stage: Stage
    reconciler: Reconciler
    key: ObjectKey

    @property
    def snapshot(self) -> Snapshot:
        return self.stage.store.objects[self.key]

    @property
    def status(self) -> Mapping[str, Any]:
        return self.snapshot.status

    def condition(self, type_: str) -> tuple[str, str]:
        """Return status and reason of a condition."""
        conditions = {each["type"]: (each["status"], each["reason"]) for each in self.status["conditions"]}
        return conditions.get(type_, ("", ""))

    def message(self, type_: str) -> str:
        return str(next(each["message"] for each in self.status["conditions"] if each["type"] == type_))

    async def once(self) -> Outcome:
        run = self.reconciler.finalize if self.snapshot.deleting else self.reconciler.reconcile
        return await run(self.snapshot)

    async def calls(self) -> int:
        """Run once more, and count the calls of Python functions that it takes."""
        calls = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            await self.once()
        finally:
            sys.setprofile(None)
        return calls

    async def rest(self, *, within: float = 3600.0) -> Outcome:
        """Run until the object rests; AssertionError when it does not come to rest in time."""
        return await self.until(lambda outcome: outcome.finalized or delay(outcome) >= RESTING, within=within)

    async def until(self, done: Callable[[Outcome], bool], *, within: float = 3600.0) -> Outcome:
        """Run until the outcome is as wanted."""
        deadline = self.stage.clock.seconds + within
        runs = 0
        while not done(outcome := await self.once()):
            self.stage.clock.seconds += delay(outcome)
            runs += 1
            assert self.stage.clock.seconds <= deadline, f"still {outcome} after {within} s: {self.status}"
            assert runs < 5000, f"still {outcome} after 5000 runs: {self.status}"
        return outcome

    async def spend(self, seconds: float) -> None:
        """Run whenever it is due, for so long; an object that only waits for a change is left alone."""
        end = self.stage.clock.seconds + seconds
        while self.stage.clock.seconds < end:
            self.stage.clock.seconds += delay(await self.once())

    def delete(self) -> None:
        """Ask for the deletion, as a user does."""
        self.stage.store.change(self.key, deleting=True, deleted=self.stage.clock.now().isoformat())


def delay(outcome: Outcome) -> float:
    """Return the seconds until the engine runs the object again."""
    if outcome.retry:
        return max(RETRY, outcome.requeue_after or 0.0)
    return float("inf") if outcome.requeue_after is None else outcome.requeue_after
