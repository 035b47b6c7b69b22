"""MLConnector: one connector in OpenSearch, changed in place or replaced by one that its models are moved to.

A connector in use cannot be changed in place, and a change in place cannot remove a key. So: create revision
B, let each RemoteModel point itself at B (no prediction fails), keep A for `keepOldFor`, delete A.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.common import seconds
from ...models.connector import Candidate, MLConnectorStatus, PreviousConnector
from ...models.snapshot import Snapshot
from .. import adoption, dependants, holding, managed, references
from ..conditions import false, find
from ..corrections import LIMIT, Corrections
from ..creation.protocol import Role
from ..creation.steps import Creation
from ..outcome import Outcome
from ..ports import MLCommons
from ..records import digest
from ..references import Connected
from ..refusal import STALLED_INTERVAL
from ..rests import Rests
from ..session import Ports, Session
from . import adopted, bodies, change, recovery, redeploy
from .change import InPlace, NewRevision, Refuse
from .holding import differences, look
from .revisions import Revisions, remover, rest
from .target import UNKNOWN, Applied, Wanted, ready, resolve, resolved
from .trial import Trials
from .users import is_deploying, probes, users


class ConnectorReconciler:
    """Creates, replaces and deletes the revisions of one connector."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._creation = Creation()
        self._revisions = Revisions(self._creation)
        self._trials = Trials(ports, self._creation)
        self._corrections = Corrections(ports.monotonic)
        self._rests = Rests(ports, "connector")

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Bring the newest revision to what the spec and the Secrets say; remove revisions nobody needs."""
        at_rest = await self._rests.same(snapshot)
        if at_rest is not None:
            return at_rest
        session = Session(self._ports, snapshot, MLConnectorStatus)
        wanted = await resolve(session)
        if isinstance(wanted, Outcome):
            return wanted
        try:
            return await self._advance(session, wanted)
        except MLError as error:
            return await managed.refused(session, error, doing="bring the connector up to date")

    async def _advance(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        hold = holding.of(wanted.spec)
        waiting = await adoption.adopt(session, wanted.client, "connector", wanted.spec)
        if waiting is not None:
            return waiting
        if hold is not None:
            return await look(session, wanted, hold)
        return await self._act(session, wanted)

    async def _act(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        if wanted.spec.adopt is None and await recovery.recover(session, wanted.client):
            return Outcome(requeue_after=0)
        pending = session.status.pending
        announced = pending is not None and pending.role == Role.CONNECTOR.value
        waiting = None if announced else await self._swap(session, wanted)
        if waiting is not None:
            return waiting
        if announced or session.status.id is None:
            return await self._create(session, wanted)
        if adoption.is_adopted(session.snapshot):
            return await adopted.keep(session, wanted, self._corrections)
        return await self._keep(session, wanted)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Delete all revisions once no model uses them, and prove it."""
        self._rests.forget(snapshot.uid)
        live = await managed.live(self._ports, snapshot)
        if live is None:
            return Outcome(finalized=True)
        return await self._finalize(live)

    async def _finalize(self, snapshot: Snapshot) -> Outcome:
        session = Session(self._ports, snapshot, MLConnectorStatus)
        status = session.status
        left = status.id or status.pending or status.previous or status.candidate or status.trial
        connection = references.connection_key(snapshot)
        connected = managed.connection_for_deletion(self._ports, connection)
        nothing = not left and await managed.never_made(session, connection)
        if nothing or adoption.releases(self._ports, snapshot):
            waiting = await self._revisions.tidy(session, connected, self._trials)
            return waiting or await managed.retained(session, connection)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        waiting = await managed.held(session, "Delete them, or give them another connector.")
        if waiting is not None:
            return waiting
        try:
            return await self._delete(session, connected.client)
        except MLError as error:
            return await self._not_deleted(session, connected.client, error)

    async def _create(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        """Create the next revision and record it at once: as the connector, or to be tried before."""
        status = session.status
        revision = status.pending.revision if status.pending else status.revision + 1
        created = await self._revisions.make(session, wanted, revision=revision)
        if isinstance(created, Outcome):
            return created
        self._creation.forget(session.snapshot.uid)
        current = not created.found or created.hash == digest(wanted.applied)
        made: dict[str, Any] = {"pending": None, "revision": revision, "live_revision": status.live}
        if status.id is None:
            # One that was found may stem from an older spec: then it is recorded as such, and compared next.
            applied = wanted.applied if current else UNKNOWN
            return await self._publish(session, wanted, created.id, revision, applied)
        if not current:
            other = PreviousConnector(id=created.id, since=session.now)
            await session.record(previous=[*status.previous, other], **made)
            return Outcome(requeue_after=0)
        if not probes(session):
            return await self._publish(session, wanted, created.id, revision, wanted.applied)
        candidate = Candidate(id=created.id, revision=revision, **wanted.applied._asdict())
        words = f"Trying connector {created.id} before models are moved to it."
        await session.record(
            *resolved(), false(ConditionType.SYNCED, Reason.SWAPPING, words), candidate=candidate, **made
        )
        return Outcome(requeue_after=0)

    async def _publish(
        self,
        session: Session[MLConnectorStatus],
        wanted: Wanted,
        id_: str,
        revision: int,
        applied: Applied,
    ) -> Outcome:
        """Make a revision the connector: the models point themselves at it."""
        status = session.status
        previous = list(status.previous)
        if status.id is not None:
            previous.append(PreviousConnector(id=status.id, since=session.now))
            _announce(session, wanted, f"Connector {id_} replaces {status.id}.", "Swapping")
        words = f"Connector {id_} was found, and is compared with this resource next."
        comparing = (*resolved(), false(ConditionType.SYNCED, Reason.UPDATING, words))
        await session.record(
            *(comparing if applied == UNKNOWN else ready()),
            id=id_,
            origin="Created",
            pending=None,
            revision=max(revision, status.revision),
            live_revision=revision,
            candidate=None,
            models_held_since=None,
            previous=previous,
            used_by_models=len(users(session)),
            **applied._asdict(),
        )
        over = status.trial is not None or applied == UNKNOWN or not seconds(wanted.spec.update.keep_old_for)
        return Outcome(requeue_after=0) if over else rest(session, wanted)

    async def _swap(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome | None:
        """Take the next step with a new connector that is not in use yet; None when there is none."""
        candidate = session.status.candidate
        swaps = wanted.spec.update.strategy == "Swap" and not adoption.is_adopted(session.snapshot)
        if candidate is not None and swaps:
            made_by = Applied(candidate.spec_hash, candidate.credential_revision)
            asked = probes(session)
            if made_by == wanted.applied and asked:
                waiting = await self._trials.run(session, wanted, candidate, asked)
                if waiting is not None:
                    return waiting
            if made_by == wanted.applied:
                return await self._publish(session, wanted, candidate.id, candidate.revision, wanted.applied)
        waiting = await self._trials.clear(session, wanted.client)
        if waiting is not None or candidate is None:
            return waiting
        # The spec or the Secret has changed since, or another was adopted: this one is not wanted any more.
        try:
            if not await remover(wanted.client).remove(candidate.id):
                return Outcome(requeue_after=managed.DELETE_POLL)
        except MLError as error:
            if not error.ids or await redeploy.real_users(wanted.client, candidate.id, error.ids):
                raise
            # Held by models that do not use it. The next one must not wait for those: it goes when they go.
            held = PreviousConnector(id=candidate.id, since=session.now)
            await session.record(candidate=None, previous=[*session.status.previous, held])
            return None
        await session.record(candidate=None)
        return None

    async def _keep(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        """Compare with what was applied, then with what the server shows, and change what differs."""
        status = session.status
        id_ = status.id or ""
        applied = Applied(status.spec_hash, status.credential_revision)
        changed = applied != wanted.applied
        max_age = 0.0 if changed or session.asked else managed.freshness(wanted.spec.resync_interval)
        observed = await wanted.client.observe("connector", id_, max_age=max_age)
        if observed is None:
            words = f"Connector {id_} has been deleted in OpenSearch; creating it again."
            session.event("ExternalIDChanged", words, warning=True)
            await session.record(false(ConditionType.SYNCED, Reason.CREATING, words), id=None)
            return await self._create(session, wanted)
        source = observed.plain
        session.differs(differences(session, wanted, source))
        mark = bodies.mark(session.snapshot, status.live, wanted.applied)
        drift = bodies.drifted(wanted.content, source, mark=mark)
        if changed and not (applied == UNKNOWN and "description" not in drift):
            return await self._change(session, wanted, source)
        if drift:
            return await self._correct(session, wanted, source, drift)
        kept = await self._revisions.drop_previous(session, wanted)
        outcome = await _settled(session, wanted, previous=kept)
        if not kept and status.candidate is None and status.trial is None:
            self._rests.note(
                session,
                observed,
                outcome,
                interval=wanted.spec.resync_interval,
                secrets=wanted.credentials.secrets,
            )
        return outcome

    async def _change(
        self, session: Session[MLConnectorStatus], wanted: Wanted, observed: Mapping[str, Any]
    ) -> Outcome:
        """Bring the connector, or another one in its place, to what is wanted."""
        strategy = wanted.spec.update.strategy
        unsayable = change.unsayable(
            wanted.content,
            observed,
            same_credential_names=wanted.credentials.has_names_of(session.status.credential_revision),
        )
        step = change.plan(strategy, used=bool(users(session)), unsayable=unsayable)
        if isinstance(step, InPlace):
            try:
                return await self._change_in_place(session, wanted)
            except MLError as error:
                if error.code is not MLCode.IN_USE:
                    raise
                if strategy == "Redeploy":
                    return await redeploy.wait(session, wanted, error)
                step = NewRevision() if strategy == "Swap" else change.refused(error.message)
        if isinstance(step, Refuse):
            fact = false(ConditionType.SYNCED, Reason.REJECTED, step.words, stalled=True)
            await session.record(
                *resolved(), fact, used_by_models=len(users(session)), models_held_since=None
            )
            return Outcome(requeue_after=STALLED_INTERVAL)
        return await self._create(session, wanted)

    async def _change_in_place(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        """Change the connector, and record it: whoever dies in between does it once more."""
        status = session.status
        mark = bodies.mark(session.snapshot, status.live, wanted.applied)
        body = bodies.update_body(wanted.content, mark, credential=wanted.credentials.values)
        await redeploy.change(session, wanted.client, status.id or "", body)
        if any(is_deploying(user) for user in users(session)):
            return Outcome(requeue_after=1)  # it may have read the connector just before: look again
        _announce(session, wanted, "Changed the connector in place.", "Updated")
        return await _settled(session, wanted)

    async def _correct(
        self,
        session: Session[MLConnectorStatus],
        wanted: Wanted,
        observed: Mapping[str, Any],
        drift: tuple[str, ...],
    ) -> Outcome:
        """Put back what somebody has changed, unless that goes on and on."""
        names = ", ".join(drift)
        uid = session.snapshot.uid
        if self._corrections.count(uid, names) >= LIMIT:
            words = f"{names} is changed back every time. Find out who or what does it."
            await session.record(false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words))
            return Outcome(requeue_after=managed.NET)
        session.event("DriftCorrected", f"Somebody changed {names}; putting it back.")
        revision = session.status.revision
        outcome = await self._change(session, wanted, observed)
        if session.status.revision > revision or _is_synced(session):
            self._corrections.add(uid, names)
        return outcome

    async def _delete(self, session: Session[MLConnectorStatus], client: MLCommons) -> Outcome:
        await recovery.recover(session, client)
        settled = await managed.settle_intent(session, self._creation, client, role=Role.CONNECTOR)
        if isinstance(settled, Outcome):
            return settled
        waiting = await self._trials.clear(session, client)
        if waiting is not None:
            return waiting
        status = session.status
        candidate = status.candidate.id if status.candidate else None
        ids = [previous.id for previous in status.previous]
        ids += [id_ for id_ in (candidate, status.id, settled.id if settled else None) if id_ is not None]
        waiting = await dependants.named(session, client, ids, kind="connector")
        if waiting is not None:
            return waiting
        for id_ in ids:
            if not await remover(client).remove(id_):
                return Outcome(requeue_after=managed.DELETE_POLL)
        while left := await recovery.revisions(client, session.snapshot):
            for _, hit in left:
                if not await remover(client).remove(hit.id):
                    return Outcome(requeue_after=managed.DELETE_POLL)
        self._creation.forget(session.snapshot.uid)
        return Outcome(finalized=True)

    async def _not_deleted(
        self, session: Session[MLConnectorStatus], client: MLCommons, error: MLError
    ) -> Outcome:
        """Say who holds the connector; on a false conflict say so, the stranger's model ends it."""
        if error.code is not MLCode.IN_USE or not error.ids:
            return await managed.blocked(session, Reason.CONNECTION_UNAVAILABLE, error.message, after=5)
        own = {session.status.id, *(previous.id for previous in session.status.previous)}
        read = [model for id_ in error.ids if (model := await client.get_model(id_)) is not None]
        real = [model for model in read if model.source.get("connector_id") in own]
        if real:
            words = (
                f"Used by models that are not managed here: {dependants.strangers(real)}. Delete them first."
            )
            return await managed.blocked(session, Reason.USED_BY_MODELS, words, after=10)
        seeming = redeploy.false_conflict(error.ids, "It lets go when those models are gone; trying again.")
        return await managed.blocked(session, seeming.reason, seeming.message, after=10)


async def _settled(session: Session[MLConnectorStatus], wanted: Wanted, **changes: Any) -> Outcome:
    """Record that the connector is what is wanted, and rest."""
    await session.record(
        *ready(),
        used_by_models=len(users(session)),
        models_held_since=None,
        **wanted.applied._asdict(),
        **changes,
    )
    return rest(session, wanted)


def _announce(session: Session[MLConnectorStatus], wanted: Wanted, words: str, reason: str) -> None:
    """Post what is about to be recorded; new credentials alone have a word of their own."""
    before = Applied(session.status.spec_hash, session.status.credential_revision)
    rotated = before.spec_hash == wanted.applied.spec_hash and before != wanted.applied
    session.event("CredentialsRotated" if rotated else reason, words)


def _is_synced(session: Session[MLConnectorStatus]) -> bool:
    synced = find(session.status.conditions, ConditionType.SYNCED)
    return synced is not None and synced.status == "True"
