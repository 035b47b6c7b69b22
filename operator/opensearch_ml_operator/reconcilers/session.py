"""One pass over one object: its newest snapshot, its typed status, and the only way to change that status."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from ..constants import ConditionType, Reason
from ..errors import StatusConflictError
from ..models.common import Condition, HoldableStatus, PendingChange, StatusBase
from ..models.snapshot import ObjectKey, Snapshot
from .aws import AWSSource
from .conditions import Fact, build, find
from .difference import MOST
from .ports import Catalog, ConnectionPool, EventSink, ExportStore, SecretSource, StatusStore, TokenSource
from .records import moment, parse_status, timestamp

StatusT_co = TypeVar("StatusT_co", bound=StatusBase, covariant=True)

IN_PROGRESS = frozenset(
    {
        Reason.CREATING,
        Reason.UPDATING,
        Reason.SWAPPING,
        Reason.REGISTER_TASK_RUNNING,
        Reason.DEPLOY_TASK_RUNNING,
    }
)
"""Reasons of an object that is on its way to Ready."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that the reconcilers are given."""

    store: StatusStore
    secrets: SecretSource
    exports: ExportStore
    tokens: TokenSource
    aws: AWSSource
    events: EventSink
    pool: ConnectionPool
    catalog: Catalog
    wake: Callable[[ObjectKey], None]
    """Ask for a reconcile of this object soon."""
    mask: Callable[[str], str]
    """Take secrets out of a text, should a server have put one in."""
    now: Callable[[], datetime]
    """Wall clock, UTC: for what people read."""
    monotonic: Callable[[], float]
    """Seconds that only grow: for every decision."""
    holder: str
    """Names this process in intents."""
    quiet_period: float
    """Seconds until the server can no longer apply an abandoned create."""
    cluster_wide: bool = True
    """Whether this operator watches all namespaces, and with them what belongs to none."""


class Session(Generic[StatusT_co]):
    """Reads typed, writes by compare-and-set; after each write it goes on from what the server stored."""

    def __init__(self, ports: Ports, snapshot: Snapshot, status_model: type[StatusT_co]) -> None:
        self.ports = ports
        snapshot.unpack()
        self.snapshot = snapshot
        self.status: StatusT_co = parse_status(status_model, snapshot.status)
        self.wrote = False
        self.standing: tuple[Fact, ...] = ()
        """What is so for all of this pass, and is recorded along with everything else."""
        self._status_model = status_model
        self._differences: tuple[PendingChange, ...] = ()

    @property
    def now(self) -> str:
        """The time for status fields."""
        return timestamp(self.ports.now())

    @property
    def asked(self) -> bool:
        """Whether a person has asked for a reconcile that has not been answered yet."""
        requested = self.snapshot.requested_at
        return requested is not None and requested != self.status.last_handled_reconcile_at

    def differs(self, found: tuple[PendingChange, ...]) -> None:
        """Take note of what differs from the spec; it is shown as long as `Synced` is not true."""
        self._differences = found[:MOST]

    def waited(self, seconds: float) -> bool:
        """Whether the object has been new, or been on its way out, for so long.

        `kubectl apply -f` and `delete -f` of many objects take a moment to reach all of them: what one waits
        for is shown only when it does not come by itself.
        """
        if not self.snapshot.deleted and self.status.conditions:
            return True
        age = self._since(self.snapshot.deleted or self.snapshot.created)
        return not -seconds < age < seconds

    @property
    def age(self) -> float:
        """Seconds since the object was created, by two clocks; endless when that cannot be read."""
        return self._since(self.snapshot.created)

    def _since(self, time: str) -> float:
        begun = moment(time)
        return (self.ports.now() - begun).total_seconds() if begun is not None else math.inf

    async def record(self, *facts: Fact, strict: bool = False, **changes: Any) -> None:
        """Write the changed status fields and the conditions that follow from the facts, if anything differs.

        `changes` are fields of the status model; None removes one. What is recorded has happened: when the
        object has changed meanwhile, but not its status, it is written to the newer version. An intent is
        `strict`: nothing may have changed. Raises the errors of StatusStore.write.
        """
        await self._record(facts, changes, strict=strict)

    async def record_rest(
        self,
        *facts: Fact,
        without: Collection[ConditionType] = (),
        along: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Do as `record`, and take away the conditions `without`.

        What is to be written `along` is no reason to write: it changes often and says little.
        """
        await self._record(facts, changes, without=without, along=along)

    async def _record(
        self,
        facts: tuple[Fact, ...],
        changes: dict[str, Any],
        *,
        strict: bool = False,
        without: Collection[ConditionType] = (),
        along: Mapping[str, Any] | None = None,
    ) -> None:
        before = self.status
        if facts:
            facts = (*facts, *self._suspended())
            changes |= self._pending_changes(facts)
            generation = self.snapshot.generation
            named = {fact.type for fact in facts}
            standing = (fact for fact in self.standing if fact.type not in named)
            masked = [replace(fact, message=self.ports.mask(fact.message)) for fact in (*standing, *facts)]
            changes["conditions"] = build(
                before.conditions, masked, generation=generation, now=self.now, without=without
            )
            changes["observed_generation"] = generation
            changes["last_handled_reconcile_at"] = (
                self.snapshot.requested_at or before.last_handled_reconcile_at
            )
        changed = before.model_copy(update=changes)
        if changed.to_body() == before.to_body() and self.snapshot.status:
            return
        wanted = changed.model_copy(update={"last_sync_time": self.now, **(along or {})})
        self.wrote = True
        self.snapshot = await self._write(wanted.to_body(), strict=strict)
        self.status = parse_status(self._status_model, self.snapshot.status)
        self._announce(before)

    def _suspended(self) -> tuple[Fact, ...]:
        if self.snapshot.spec.get("suspend") is not True:
            return ()
        words = "spec.suspend is true: nothing is changed in OpenSearch until it is false."
        return (Fact(ConditionType.SUSPENDED, holds=True, reason=Reason.SUSPENDED, message=words),)

    def _pending_changes(self, facts: tuple[Fact, ...]) -> dict[str, Any]:
        synced = next((fact for fact in facts if fact.type is ConditionType.SYNCED), None)
        if synced is None or not isinstance(self.status, HoldableStatus):
            return {}
        return {"pending_changes": None if synced.holds else list(self._differences) or None}

    async def _write(self, body: Mapping[str, Any], *, strict: bool) -> Snapshot:
        try:
            return await self.ports.store.write(self.snapshot, body)
        except StatusConflictError:
            now = None if strict else await self.ports.store.read(self.snapshot.key)
            if now is None or now.uid != self.snapshot.uid or now.status != self.snapshot.status:
                raise
        return await self.ports.store.write(now, body)

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Post an Event about the object."""
        kind = "Warning" if warning else "Normal"
        self.ports.events.post(self.snapshot, kind=kind, reason=reason, message=self.ports.mask(message))

    def _announce(self, before: StatusBase) -> None:
        """Post an Event when something has gone wrong, and when that is over; progress is no news."""
        was, ready = (find(status.conditions, ConditionType.READY) for status in (before, self.status))
        if ready is None or (was is not None and (was.status, was.reason) == (ready.status, ready.reason)):
            return
        if _is_trouble(ready):
            self.event(ready.reason, ready.message, warning=True)
        elif ready.status == "True" and was is not None and _is_trouble(was):
            self.event("Ready", ready.message or "Everything is as the spec says.")


def _is_trouble(ready: Condition) -> bool:
    return ready.status != "True" and ready.reason not in IN_PROGRESS
