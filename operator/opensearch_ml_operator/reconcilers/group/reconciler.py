"""MLModelGroup: one model group in OpenSearch, deleted only when no model is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.group import MLModelGroupSpec, MLModelGroupStatus
from ...models.snapshot import Snapshot
from .. import adoption, dependants, holding, managed, references
from ..conditions import Fact, false, true
from ..creation.protocol import Role
from ..creation.steps import Creation
from ..difference import changes
from ..holding import Hold
from ..outcome import Outcome
from ..ports import MLCommons
from ..records import digest, parse_spec
from ..references import Connected
from ..rests import Rests
from ..session import Ports, Session
from . import bodies


class GroupReconciler:
    """Creates, keeps and deletes one model group."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._creation = Creation()
        self._rests = Rests(ports, "group")

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Bring the remote group to what the spec says."""
        rest = await self._rests.same(snapshot)
        if rest is not None:
            return rest
        session = Session(self._ports, snapshot, MLModelGroupStatus)
        spec = parse_spec(MLModelGroupSpec, snapshot.spec)
        if isinstance(spec, Fact):
            self._leave(snapshot)
            await session.record(spec)
            return Outcome()
        connected = references.connection(self._ports, references.connection_key(snapshot), snapshot.key)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        try:
            return await self._advance(session, connected.client, spec)
        except MLError as error:
            return await managed.refused(session, error, doing="bring the model group up to date")

    async def _advance(
        self, session: Session[MLModelGroupStatus], client: MLCommons, spec: MLModelGroupSpec
    ) -> Outcome:
        waiting = await adoption.adopt(session, client, "group", spec)
        if waiting is not None:
            self._leave(session.snapshot)
            return waiting
        desired = bodies.desired(session.snapshot, spec)
        hold = holding.of(spec)
        if hold is not None:
            self._leave(session.snapshot)
            return await self._look(session, client, spec, desired, hold)
        if session.status.id is None or session.status.pending is not None:
            return await self._create(session, client, spec, desired)
        return await self._keep(session, client, spec, desired)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Delete the group once no model is in it, and prove it."""
        self._leave(snapshot)
        self._rests.forget(snapshot.uid)
        live = await managed.live(self._ports, snapshot)
        if live is None:
            return Outcome(finalized=True)
        return await self._finalize(live)

    def _leave(self, snapshot: Snapshot) -> None:
        """Stop waiting for the name."""
        managed.leave_gates(self._ports, snapshot, references.connection_key(snapshot))

    async def _finalize(self, snapshot: Snapshot) -> Outcome:
        session = Session(self._ports, snapshot, MLModelGroupStatus)
        nothing = session.status.id is None and session.status.pending is None
        connection = references.connection_key(snapshot)
        nothing = nothing and await managed.never_made(session, connection)
        if nothing or adoption.releases(self._ports, snapshot):
            return await managed.retained(session, connection)
        connected = managed.connection_for_deletion(self._ports, connection)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        waiting = await managed.held(session, "Delete them, or move them to another group.")
        if waiting is not None:
            return waiting
        try:
            return await self._delete(session, connected.client)
        except MLError as error:
            return await self._not_deleted(session, connected.client, error)

    async def _look(
        self,
        session: Session[MLModelGroupStatus],
        client: MLCommons,
        spec: MLModelGroupSpec,
        desired: Mapping[str, Any],
        hold: Hold,
    ) -> Outcome:
        """Compare, and change nothing."""
        resolved, interval = true(ConditionType.REFERENCES_RESOLVED), spec.resync_interval
        if session.status.id is None:
            return await holding.nothing_yet(session, hold, desired, resolved, interval=interval)
        max_age = holding.max_age(session, interval)
        observed = await client.observe("group", session.status.id, max_age=max_age)
        if observed is None:
            return await holding.gone(session, hold, desired, resolved, interval=interval)
        source = adoption.seen(session.snapshot, observed.plain)
        body = bodies.difference(desired, source, changed=session.status.spec_hash != digest(desired))
        found = changes(bodies.shown(source), body, mask=self._ports.mask, merged=True)
        session.differs(found)
        await session.record(resolved, holding.synced(hold, found))
        return Outcome(requeue_after=managed.resync(interval))

    async def _create(
        self,
        session: Session[MLModelGroupStatus],
        client: MLCommons,
        spec: MLModelGroupSpec,
        desired: Mapping[str, Any],
    ) -> Outcome:
        key = session.snapshot.key
        names = self._ports.pool.gate(references.connection_key(session.snapshot), "group")
        # The server checks that a name is free before it writes, not while: 20 at once made 4 groups.
        if not names.try_enter(key, f"name {desired['name']}"):
            return Outcome(requeue_after=managed.NET)
        try:
            created = await self._creation.run(
                session,
                client,
                role=Role.GROUP,
                revision=bodies.REVISION,
                hash_=digest(desired),
                post=lambda: client.create_group(desired),
            )
        finally:
            names.leave(key)
        if isinstance(created, Outcome):
            return created
        facts = _ready()
        spec_hash: str | None = digest(desired)
        if created.found:
            words = f"Group {created.id} was found, and is compared with this resource next."
            facts, spec_hash = (false(ConditionType.SYNCED, Reason.UPDATING, words),), None
        await session.record(*facts, id=created.id, origin="Created", pending=None, spec_hash=spec_hash)
        self._creation.forget(session.snapshot.uid)
        return Outcome(requeue_after=0 if created.found else managed.resync(spec.resync_interval))

    async def _keep(
        self,
        session: Session[MLModelGroupStatus],
        client: MLCommons,
        spec: MLModelGroupSpec,
        desired: Mapping[str, Any],
    ) -> Outcome:
        id_ = session.status.id or ""
        changed = session.status.spec_hash != digest(desired)
        max_age = 0.0 if changed or session.asked else managed.freshness(spec.resync_interval)
        observed = await client.observe("group", id_, max_age=max_age)
        if observed is None:
            waiting = await adoption.missing(session, spec.adopt)
            if waiting is not None:
                return waiting
            words = f"Group {id_} has been deleted in OpenSearch; creating it again."
            session.event("ExternalIDChanged", words, warning=True)
            await session.record(false(ConditionType.SYNCED, Reason.CREATING, words), id=None)
            return await self._create(session, client, spec, desired)
        source = adoption.seen(session.snapshot, observed.plain)
        body = bodies.difference(desired, source, changed=changed)
        session.differs(changes(bodies.shown(source), body, mask=self._ports.mask, merged=True))
        if body:
            await client.update_group(id_, body)
            session.event("Updated", f"Changed {', '.join(sorted(body))} of the group.")
        await session.record(*_ready(), spec_hash=digest(desired))
        outcome = Outcome(requeue_after=managed.resync(spec.resync_interval))
        if not body:
            self._rests.note(session, observed, outcome, interval=spec.resync_interval)
        return outcome

    async def _delete(self, session: Session[MLModelGroupStatus], client: MLCommons) -> Outcome:
        settled = await managed.settle_intent(session, self._creation, client, role=Role.GROUP)
        if isinstance(settled, Outcome):
            return settled
        id_ = session.status.id or (settled.id if settled else None)
        remover = managed.Remover(get=client.get_group, delete=client.delete_group)
        if id_ is not None and not await remover.remove(id_):
            return Outcome(requeue_after=managed.DELETE_POLL)
        while left := await managed.absent(session, client, role=Role.GROUP, revision=bodies.REVISION):
            if not await remover.remove(left.id):
                return Outcome(requeue_after=managed.DELETE_POLL)
        self._creation.forget(session.snapshot.uid)
        return Outcome(finalized=True)

    async def _not_deleted(
        self, session: Session[MLModelGroupStatus], client: MLCommons, error: MLError
    ) -> Outcome:
        if error.code is MLCode.IN_USE:
            try:
                models = await client.search_users("group", session.status.id or "")
            except MLError as unclear:
                return await managed.blocked(session, Reason.CONNECTION_UNAVAILABLE, unclear.message, after=5)
            named = f": {dependants.strangers(models)}" if models else ", hidden from our user"
            words = f"{error.message}. Models that are not managed here are in it{named}. Delete them first."
            return await managed.blocked(session, Reason.USED_BY_MODELS, words, after=30)
        return await managed.blocked(session, Reason.CONNECTION_UNAVAILABLE, error.message, after=5)


def _ready() -> tuple[Fact, ...]:
    return (true(ConditionType.REFERENCES_RESOLVED), true(ConditionType.SYNCED))
