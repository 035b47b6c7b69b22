"""Snapshots, and fakes of what the engine calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from opensearch_ml_operator.engine.workers import RunResult
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.outcome import DONE, FINALIZED, Outcome

Act = Callable[[Snapshot], Awaitable[Outcome]]


def key(name: str = "one", kind: str = "RemoteModel") -> ObjectKey:
    return ObjectKey(kind, "team", name)


def snapshot(  # noqa: PLR0913 - each test names the one or two that it is about
    name: str = "one",
    version: int | str = 1,
    *,
    kind: str = "RemoteModel",
    uid: str = "",
    generation: int = 1,
    created: str = "2026-01-01T00:00:00Z",
    deleting: bool = False,
    finalizer: bool = True,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Snapshot:
    return Snapshot(
        key=key(name, kind),
        uid=uid or f"uid-{kind}-{name}",
        resource_version=str(version),
        generation=generation,
        created=created,
        deleting=deleting,
        finalizer=finalizer,
        annotations=annotations or {},
        spec=spec or {},
        status=status or {},
    )


def ready(status: str = "True", reason: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "reason": reason}], **more}


class FakeReconciler:
    """Plays a script of answers, one a call, and then its last for ever; keeps what it was called with."""

    def __init__(self, *script: Outcome | BaseException | Act, finalize: Outcome | Act = FINALIZED) -> None:
        self._script = list(script) or [DONE]
        self._finalize = finalize
        self.reconciled: list[Snapshot] = []
        self.finalized: list[Snapshot] = []
        self.times: list[float] = []
        self.running: set[ObjectKey] = set()
        self.overlaps = 0

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        self.reconciled.append(snapshot)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return await self._play(snapshot, answer)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        self.finalized.append(snapshot)
        return await self._play(snapshot, self._finalize)

    async def _play(self, snapshot: Snapshot, answer: Outcome | BaseException | Act) -> Outcome:
        self.times.append(asyncio.get_running_loop().time())
        self.overlaps += snapshot.key in self.running
        self.running.add(snapshot.key)
        try:
            if isinstance(answer, BaseException):
                raise answer
            return answer if isinstance(answer, Outcome) else await answer(snapshot)
        finally:
            self.running.discard(snapshot.key)

    @property
    def names(self) -> list[str]:
        return [snapshot.key.name for snapshot in self.reconciled]

    @property
    def delays(self) -> list[float]:
        """Seconds between the calls, rounded to milliseconds."""
        return [round(after - before, 3) for before, after in zip(self.times, self.times[1:], strict=False)]


class RecordingObserver:
    """Keeps how the runs ended, and which versions there were."""

    def __init__(self) -> None:
        self.started = 0
        self.results: list[RunResult] = []
        self.versions: list[tuple[str | None, str]] = []

    def changed(self, before: Snapshot | None, after: Snapshot) -> None:
        self.versions.append((before.resource_version if before else None, after.resource_version))

    def run_started(self, snapshot: Snapshot) -> None:
        del snapshot
        self.started += 1

    def run_ended(self, snapshot: Snapshot, result: RunResult, seconds: float) -> None:
        del snapshot, seconds
        self.results.append(result)
