"""Carries out the create protocol's steps for one object (`protocol.py` decides them)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError, StatusConflictError
from ...models.common import ManagedStatus, Pending
from .. import refusal
from ..conditions import Fact, false, find, true
from ..outcome import Outcome
from ..ports import Hit, MLCommons, Registered
from ..session import Session
from . import protocol
from .protocol import CreateMemory, Found, Intention, Role

NEW = 60.0
"""Seconds for which an object counts as new: nobody has had the time to lose its status."""
_YOUNG = 0.25
"""The part of the quiet period for which an intent may wait to be sent by who has written it."""
KINDS = {Role.GROUP: "group", Role.CONNECTOR: "connector", Role.MODEL: "model"}


@dataclass(frozen=True, slots=True)
class Created:
    """The object is there; when it was `found` by its marker, `hash` tells what request had made it."""

    id: str
    task_id: str = ""
    found: bool = False
    hash: str | None = None


class Creation:
    """The create protocol of all objects of one reconciler; remembers per uid what a crash may forget."""

    def __init__(self) -> None:
        self._memory: dict[str, CreateMemory] = {}

    def forget(self, uid: str) -> None:
        """Forget an object that is gone, or whose intent has been recorded as done."""
        self._memory.pop(uid, None)

    async def again(self, session: Session[ManagedStatus]) -> None:
        """Announce the create once more: what the standing intent had created has been proven absent.

        A new intent, although the old one stands: another process may be doing the same, and only one wins.
        """
        before = _require(session.status.pending)
        again = {
            "attempt": before.attempt + 1,
            "holder": session.ports.holder,
            "started_at": session.now,
        }
        await self.intend(session, before.model_copy(update=again))

    async def intend(
        self, session: Session[ManagedStatus], pending: Pending, *facts: Fact, **changes: object
    ) -> None:
        """Write an intent, possibly together with the result of the effect before it.

        Raises StatusConflictError also for an object whose deletion has begun since the run did: another
        process may have found already that there is nothing to delete.
        """
        if session.snapshot.deleting:
            raise StatusConflictError(f"{session.snapshot.key} is being deleted")
        # Known before it is written: a write that landed but got no answer leaves an intent of ours, unsent.
        self._fresh(session, pending)
        await session.record(*facts, strict=True, pending=pending, **changes)

    async def intend_role(
        self, session: Session[ManagedStatus], role: Role, *facts: Fact, **changes: object
    ) -> None:
        """Write the next intent for an effect that is not a create, such as a deploy."""
        before = session.status.pending
        attempt = before.attempt + 1 if before is not None and before.role == role.value else 1
        pending = Pending(
            role=role.value, revision=0, attempt=attempt, holder=session.ports.holder, started_at=session.now
        )
        await self.intend(session, pending, *facts, **changes)

    def is_fresh(self, session: Session[ManagedStatus]) -> bool:
        """Whether this process has written the standing intent and not used it."""
        pending = session.status.pending
        return pending is not None and self._of(session).fresh == pending

    def use(self, session: Session[ManagedStatus]) -> None:
        """Take note that the intent is being sent: its outcome is unknown until it is recorded."""
        self._memory[session.snapshot.uid] = CreateMemory(
            pending=session.status.pending, unresolved_since=session.ports.monotonic()
        )

    def unresolved_for(self, session: Session[ManagedStatus]) -> float:
        """Seconds since this process first met the standing intent without knowing its outcome."""
        memory = self._of(session)
        now = session.ports.monotonic()
        if memory.unresolved_since is None:
            self._memory[session.snapshot.uid] = replace(memory, unresolved_since=now)
            return 0.0
        return now - memory.unresolved_since

    async def run(
        self,
        session: Session[ManagedStatus],
        client: MLCommons,
        *,
        role: Role,
        revision: int,
        hash_: str,
        post: Callable[[], Awaitable[Registered | str]],
        reason: Reason = Reason.CREATING,
        with_intent: Mapping[str, Any] | None = None,
    ) -> Created | Outcome:
        """Take the steps towards one remote object until it is there, or there is something to wait for.

        Writes at most the intent (together with the status fields `with_intent`) and, for a refusal, the
        reason; the id is the caller's to record, at once.
        """
        intention = _intention(session, role, revision, hash_)
        found: Found | None = None
        while True:
            memory = self._in_time(session)
            step = protocol.plan(
                intention, session.status.pending, memory, found, monotonic=session.ports.monotonic()
            )
            found = None
            match step:
                case protocol.Intend(pending):
                    facts = _creating(session, role, reason)
                    await self.intend(session, pending, *facts, **(with_intent or {}))
                case protocol.Send():
                    try:
                        return _created(await self._send(session, post))
                    except MLError as error:
                        found = await self._taken_by_us(session, client, intention, error)
                        if not error.code.effect_unknown and found is None:
                            return await self._refused(session, error, role)
                case protocol.Search():
                    found = await self._search(session, client, intention)
                case protocol.Adopt():
                    return await self._adopt(session, client, role, step)
                case protocol.WaitUnresolved(seconds, _):
                    await session.record(*_passed(role), _unresolved(role, session.ports.quiet_period))
                    return Outcome(requeue_after=seconds)
                case protocol.Absent():
                    pending = protocol.next_intent(intention, _require(session.status.pending))
                    facts = _creating(session, role, reason)
                    await self.intend(session, pending, *facts, **(with_intent or {}))

    async def settle(
        self, session: Session[ManagedStatus], client: MLCommons, *, role: Role, revision: int
    ) -> Created | Outcome | None:
        """Find out what became of a standing intent, creating nothing; None: nothing did, for certain."""
        if self.is_fresh(session):
            return None
        intention = _intention(session, role, revision)
        found: Found | None = None
        while True:
            step = protocol.resolve(intention, self._of(session), found, monotonic=session.ports.monotonic())
            match step:
                case protocol.Search():
                    found = await self._search(session, client, intention)
                case protocol.Adopt():
                    return await self._adopt(session, client, role, step)
                case protocol.WaitUnresolved(seconds, _):
                    return Outcome(requeue_after=seconds)
                case _:
                    return None

    async def _send(
        self, session: Session[ManagedStatus], post: Callable[[], Awaitable[Registered | str]]
    ) -> Registered | str:
        self.use(session)
        try:
            return await post()
        finally:
            self.use(session)  # the server may take its time from the end of the wait on

    async def _taken_by_us(
        self, session: Session[ManagedStatus], client: MLCommons, intention: Intention, error: MLError
    ) -> Found | None:
        """Return who has the name if that is this very create: a network may deliver a request twice."""
        if error.code is not MLCode.NAME_TAKEN:
            return None
        found = await self._search(session, client, intention)
        return found if found.objects else None

    async def _adopt(
        self, session: Session[ManagedStatus], client: MLCommons, role: Role, step: protocol.Adopt
    ) -> Created:
        """Remove the later copies first: as long as the intent stands, none of them is forgotten."""
        for copy in step.surplus:
            match role:
                case Role.GROUP:
                    await client.delete_group(copy)
                case Role.CONNECTOR:
                    await client.delete_connector(copy)
                case _:
                    await client.delete_model(copy)
        pending = session.status.pending
        return Created(step.id, found=True, hash=pending.hash if pending is not None else None)

    async def _search(
        self, session: Session[ManagedStatus], client: MLCommons, intention: Intention
    ) -> Found:
        token = protocol.marker(session.snapshot.uid, intention.role, intention.revision)
        hits = await client.search_marker(KINDS[intention.role], token)
        self._memory[session.snapshot.uid] = protocol.remember_search(
            self._of(session),
            quiet_period=intention.quiet_period,
            empty=not hits,
            monotonic=session.ports.monotonic(),
        )
        return Found(tuple((_created_time(hit), hit.id) for hit in hits))

    async def _refused(self, session: Session[ManagedStatus], error: MLError, role: Role) -> Outcome:
        uid = session.snapshot.uid
        self._memory[uid] = CreateMemory(pending=session.status.pending, void=True)
        fact = refusal.fact(error, doing=f"create the {KINDS[role]}")
        passed = _passed(role) if fact.type is ConditionType.SYNCED else ()
        await session.record(*passed, fact, pending=None)
        self.forget(uid)
        return refusal.outcome(error)

    def _fresh(self, session: Session[ManagedStatus], pending: Pending | None) -> None:
        now = session.ports.monotonic()
        self._memory[session.snapshot.uid] = CreateMemory(pending=pending, fresh=pending, written_at=now)

    def _in_time(self, session: Session[ManagedStatus]) -> CreateMemory:
        """Return what is known of the standing intent; one of ours that was not sent in time is none to send.

        A process that was frozen since it began to write the intent may have lost the Lease, and its
        successor may have waited for what it would send, and sent it itself.
        """
        memory = self._of(session)
        age = session.ports.monotonic() - memory.written_at
        if memory.fresh is not None and age > session.ports.quiet_period * _YOUNG:
            memory = self._memory[session.snapshot.uid] = replace(memory, fresh=None)
        return memory

    def _of(self, session: Session[ManagedStatus]) -> CreateMemory:
        pending = session.status.pending
        memory = self._memory.get(session.snapshot.uid)
        return memory if memory is not None and memory.pending == pending else CreateMemory(pending=pending)


def _intention(session: Session[ManagedStatus], role: Role, revision: int, hash_: str = "") -> Intention:
    return Intention(
        role=role,
        revision=revision,
        hash=hash_,
        holder=session.ports.holder,
        now=session.now,
        quiet_period=session.ports.quiet_period,
        doubtful=session.status.id is None and session.age > NEW,
    )


def _created(answer: Registered | str) -> Created:
    if isinstance(answer, str):
        return Created(answer)
    return Created(answer.model_id, task_id=answer.task_id)


def _created_time(hit: Hit) -> int:
    moment = hit.source.get("created_time")
    return moment if isinstance(moment, int) else 0


def _passed(role: Role) -> tuple[Fact, ...]:
    """Return what must be so before anything is created."""
    references = true(ConditionType.REFERENCES_RESOLVED)
    return (references, true(ConditionType.CREDENTIALS_RESOLVED)) if role is Role.CONNECTOR else (references,)


def _creating(session: Session[ManagedStatus], role: Role, reason: Reason) -> tuple[Fact, ...]:
    """Return the facts of a create under way; none for another try of what was refused: that stays."""
    synced = find(session.status.conditions, ConditionType.SYNCED)
    if (
        synced is not None
        and synced.status == "False"
        and synced.reason in refusal.SYNCED_REASONS
        and synced.observed_generation == session.snapshot.generation
    ):
        return ()
    words = f"Creating the {KINDS[role]} in OpenSearch."
    return (*_passed(role), false(ConditionType.SYNCED, reason, words))


def _unresolved(role: Role, quiet_period: float) -> Fact:
    return false(
        ConditionType.SYNCED,
        Reason.WAITING_FOR_UNRESOLVED_CREATE,
        f"The create of the {KINDS[role]} got no clear answer and may still be carried out. Looking for it; "
        f"it is sent again only when OpenSearch cannot carry it out any more ({quiet_period:.0f} s).",
    )


def _require(pending: Pending | None) -> Pending:
    if pending is None:
        raise AssertionError("resolve is called for a standing intent only")
    return pending
