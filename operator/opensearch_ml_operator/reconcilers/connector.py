"""MLConnector: one connector in OpenSearch; each change makes a new revision that the models are moved to.

A connector in use cannot be changed in place, and a change in place cannot remove a key. So: create revision
B, let each RemoteModel point itself at B (no prediction fails), keep A for `keepOldFor`, delete A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..constants import ConditionType, Reason
from ..errors import MLCode, MLError
from ..models.common import seconds
from ..models.connector import MLConnectorSpec, MLConnectorStatus, PreviousConnector
from ..models.snapshot import Snapshot
from . import adoption, connector_adopted, connector_body, connector_holding, holding, managed, references
from .conditions import Fact, false, true
from .corrections import LIMIT, Corrections
from .create import Role
from .creation import Created, Creation
from .credentials import Credentials
from .outcome import Outcome
from .ports import MLCommons
from .records import digest, moment, parse_spec
from .references import Connected
from .session import Ports, Session

_MOST_PREVIOUS = 15
"""Revisions that are kept at once; more are not made, because status could not name them."""
_HYPHEN_TRIES = 5
"""A bound only: more than two tries are rare."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    spec: MLConnectorSpec
    content: Mapping[str, Any]
    credentials: Credentials
    client: MLCommons

    @property
    def spec_hash(self) -> str:
        return digest(self.content)


class ConnectorReconciler:
    """Creates, replaces and deletes the revisions of one connector."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._creation = Creation()
        self._corrections = Corrections(ports.monotonic)

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Bring the newest revision to what the spec and the Secrets say; remove revisions nobody needs."""
        session = Session(self._ports, snapshot, MLConnectorStatus)
        wanted = await self._wanted(session)
        if isinstance(wanted, Outcome):
            return wanted
        try:
            return await self._advance(session, wanted)
        except MLError as error:
            return await managed.refused(session, error, doing="bring the connector up to date")

    async def _advance(self, session: Session[MLConnectorStatus], wanted: _Wanted) -> Outcome:
        hold = holding.of(wanted.spec)
        waiting = await adoption.adopt(session, wanted.client, "connector", wanted.spec)
        if waiting is not None:
            return waiting
        if hold is not None:
            return await connector_holding.look(
                session, wanted.client, wanted.spec, wanted.content, wanted.credentials, hold
            )
        if session.status.id is None or session.status.pending is not None:
            return await self._create(session, wanted)
        if adoption.is_adopted(session.snapshot):
            return await connector_adopted.keep(
                session,
                wanted.client,
                wanted.spec,
                wanted.content,
                wanted.credentials,
                self._corrections,
            )
        return await self._keep(session, wanted)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Delete all revisions once no model uses them, and prove it."""
        live = await managed.live(self._ports, snapshot)
        if live is None:
            return Outcome(finalized=True)
        return await self._finalize(live)

    async def _finalize(self, snapshot: Snapshot) -> Outcome:
        session = Session(self._ports, snapshot, MLConnectorStatus)
        status = session.status
        if adoption.releases(self._ports, snapshot) or (
            status.id is None and status.pending is None and not status.previous
        ):
            return managed.retained(session)
        connected = managed.connection_for_deletion(
            self._ports, snapshot, references.connection_name(snapshot)
        )
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        waiting = await managed.held(session, "Delete them, or give them another connector.")
        if waiting is not None:
            return waiting
        try:
            return await self._delete(session, connected.client)
        except MLError as error:
            return await self._not_deleted(session, connected.client, error)

    async def _wanted(self, session: Session[MLConnectorStatus]) -> _Wanted | Outcome:
        """Resolve spec, connection and credentials; what is missing is shown and waited for."""
        snapshot = session.snapshot
        spec = parse_spec(MLConnectorSpec, snapshot.spec)
        if isinstance(spec, Fact):
            await session.record(spec)
            return Outcome()
        key = references.connection_key(snapshot, spec.connection_ref.name)
        connected = references.connection(self._ports, key)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        resolved = true(ConditionType.REFERENCES_RESOLVED)
        credentials = await self._credentials(snapshot, spec)
        if isinstance(credentials, Fact):
            await session.record(resolved, credentials)
            return Outcome(retry=True)
        content = connector_body.content(
            snapshot, spec, private_allowed=self._ports.pool.private_addresses_allowed(key)
        )
        if isinstance(content, Fact):
            await session.record(resolved, true(ConditionType.CREDENTIALS_RESOLVED), content)
            return Outcome(requeue_after=managed.resync(spec.resync_interval))
        return _Wanted(spec, content, credentials, connected.client)

    async def _credentials(self, snapshot: Snapshot, spec: MLConnectorSpec) -> Credentials | Fact:
        credentials = Credentials()
        source, namespace = self._ports.secrets, snapshot.key.namespace
        type_ = ConditionType.CREDENTIALS_RESOLVED
        missing: Fact | None = None
        if spec.credentials_from is not None:
            name = spec.credentials_from.secret_ref.name
            missing = await credentials.add(source, namespace=namespace, secret=name, keys=None, type_=type_)
        for credential in spec.credentials:
            if credential.value is not None:
                credentials.constant(credential.name, credential.value)
            elif credential.secret_key_ref is not None:
                ref = credential.secret_key_ref
                missing = missing or await credentials.add(
                    source, namespace=namespace, secret=ref.name, keys={credential.name: ref.key}, type_=type_
                )
        return missing or credentials

    async def _create(self, session: Session[MLConnectorStatus], wanted: _Wanted) -> Outcome:
        """Create the next revision and record it at once; the one before it becomes a previous one."""
        status = session.status
        if status.id is not None and len(status.previous) >= _MOST_PREVIOUS and status.pending is None:
            return await self._too_many(session, wanted)
        revision = status.pending.revision if status.pending else status.revision + 1
        body = connector_body.create_body(
            wanted.content, session.snapshot, revision=revision, credential=wanted.credentials.values
        )
        hash_ = digest([wanted.spec_hash, wanted.credentials.revision])
        created = await self._without_hyphen(session, wanted.client, body, revision, hash_)
        if isinstance(created, Outcome):
            return created
        previous = list(status.previous)
        if status.id is not None:
            previous.append(PreviousConnector(id=status.id, since=session.now))
            session.event("Swapping", f"Connector {created.id} replaces {status.id}.")
        # One that was found may stem from an older spec: then it is recorded as such, and replaced next.
        current = not created.found or created.hash == hash_
        await session.record(
            *_ready(),
            id=created.id,
            origin="Created",
            pending=None,
            revision=revision,
            previous=previous,
            spec_hash=wanted.spec_hash if current else None,
            credential_revision=wanted.credentials.revision if current else None,
            used_by_models=len(self._ports.catalog.dependents(session.snapshot.key)),
        )
        self._creation.forget(session.snapshot.uid)
        return self._rest(session, wanted) if current else Outcome(requeue_after=0)

    async def _too_many(self, session: Session[MLConnectorStatus], wanted: _Wanted) -> Outcome:
        """Make no further revision before an earlier one could be deleted."""
        kept = await self._drop_previous(session, wanted)
        words = f"{len(kept)} earlier revisions are still kept; the change waits until the oldest can go."
        await session.record(false(ConditionType.SYNCED, Reason.SWAPPING, words), previous=kept)
        return Outcome(requeue_after=0 if len(kept) < _MOST_PREVIOUS else 30)

    async def _without_hyphen(
        self,
        session: Session[MLConnectorStatus],
        client: MLCommons,
        body: Mapping[str, Any],
        revision: int,
        hash_: str,
    ) -> Created | Outcome:
        """Create, and again when the new id has a hyphen in it.

        The server's own "who uses this connector" splits ids at hyphens and then takes strangers for users
        (18 of 588 ids on 2.19). Nobody knows the new id yet, so it can be given back. But part of an id
        is the node's: when the hyphen comes back at the same place, all ids of that node have it: it stays.
        """
        reason = Reason.SWAPPING if session.status.id else Reason.CREATING
        last = -1
        for left in reversed(range(_HYPHEN_TRIES)):
            created = await self._creation.run(
                session,
                client,
                role=Role.CONNECTOR,
                revision=revision,
                hash_=hash_,
                post=lambda: client.create_connector(body),
                reason=reason,
            )
            if isinstance(created, Outcome) or created.id.find("-") in {-1, last} or not left:
                return created
            if session.status.pending is None:
                return created  # it is not new: somebody may know it
            last = created.id.find("-")
            try:
                await client.delete_connector(created.id)
            except MLError as error:
                if error.code is not MLCode.IN_USE:
                    raise
                return created  # the very mistake this is about: it cannot be given back, so it stays
            if await client.get_connector(created.id) is not None:
                return Outcome(retry=True)
            await self._creation.again(session)
        return Outcome(retry=True)

    async def _keep(self, session: Session[MLConnectorStatus], wanted: _Wanted) -> Outcome:
        """Compare with what was applied, then with what the server shows; a difference is a new revision."""
        status = session.status
        id_ = status.id or ""
        if (status.spec_hash, status.credential_revision) != (wanted.spec_hash, wanted.credentials.revision):
            rotated = status.spec_hash == wanted.spec_hash
            session.event(
                "CredentialsRotated" if rotated else "Updated", "Making a new revision of the connector."
            )
            return await self._create(session, wanted)
        max_age = 0.0 if session.asked else managed.freshness(wanted.spec.resync_interval)
        observed = await wanted.client.observe("connector", id_, max_age=max_age)
        if observed is None:
            words = f"Connector {id_} has been deleted in OpenSearch; creating it again."
            session.event("ExternalIDChanged", words, warning=True)
            await session.record(false(ConditionType.SYNCED, Reason.CREATING, words), id=None)
            return await self._create(session, wanted)
        token = connector_body.token(session.snapshot, status.revision)
        session.differs(
            connector_holding.differences(session, wanted.content, wanted.credentials, observed.source)
        )
        drift = connector_body.drifted(wanted.content, observed.source, token=token)
        if drift:
            return await self._correct(session, wanted, drift)
        kept = await self._drop_previous(session, wanted)
        await session.record(
            *_ready(),
            previous=kept,
            used_by_models=len(self._ports.catalog.dependents(session.snapshot.key)),
        )
        return self._rest(session, wanted)

    async def _correct(
        self, session: Session[MLConnectorStatus], wanted: _Wanted, drift: tuple[str, ...]
    ) -> Outcome:
        """Replace a connector that somebody has changed, unless that goes on and on."""
        names = ", ".join(drift)
        uid = session.snapshot.uid
        if self._corrections.count(uid, names) >= LIMIT:
            words = f"{names} is changed back every time. Find out who or what does it."
            await session.record(false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words))
            return Outcome(requeue_after=managed.NET)
        session.event("DriftCorrected", f"Somebody changed {names}; making a new revision.")
        revision = session.status.revision
        outcome = await self._create(session, wanted)
        if session.status.revision > revision:
            self._corrections.add(uid, names)
        return outcome

    async def _drop_previous(
        self, session: Session[MLConnectorStatus], wanted: _Wanted
    ) -> list[PreviousConnector]:
        """Delete the earlier revisions that are old enough and that no model points at; return the rest."""
        in_use = {
            user.status.get("connectorID")
            for key in self._ports.catalog.dependents(session.snapshot.key)
            if (user := self._ports.catalog.get(key)) is not None
        }
        kept = []
        for previous in session.status.previous:
            if previous.id in in_use or self._age(previous) < seconds(wanted.spec.update.keep_old_for):
                kept.append(previous)
                continue
            try:
                if not await _remover(wanted.client).remove(previous.id):
                    kept.append(previous)
            except MLError as error:
                if error.code is not MLCode.IN_USE:
                    raise
                kept.append(previous)
        return kept

    def _rest(self, session: Session[MLConnectorStatus], wanted: _Wanted) -> Outcome:
        """Come back at the next resync, or earlier when a previous revision can go."""
        keep = seconds(wanted.spec.update.keep_old_for)
        left = [keep - self._age(previous) for previous in session.status.previous]
        # One that is overdue is in use; the model that uses it wakes us when it has moved on.
        due = [seconds_left + 1 if seconds_left > 0 else managed.NET for seconds_left in left]
        resync = managed.resync(wanted.spec.resync_interval)
        return Outcome(requeue_after=min([*due, resync] if resync else due, default=None))

    def _age(self, previous: PreviousConnector) -> float:
        since = moment(previous.since)
        return (self._ports.now() - since).total_seconds() if since is not None else 0.0

    async def _delete(self, session: Session[MLConnectorStatus], client: MLCommons) -> Outcome:
        settled = await managed.settle_intent(session, self._creation, client, role=Role.CONNECTOR)
        if isinstance(settled, Outcome):
            return settled
        status = session.status
        ids = [previous.id for previous in status.previous]
        ids += [id_ for id_ in (status.id, settled.id if settled else None) if id_ is not None]
        for id_ in ids:
            if not await _remover(client).remove(id_):
                return Outcome(requeue_after=managed.DELETE_POLL)
        newest = status.pending.revision if status.pending else status.revision
        while (
            left := await managed.absent(session, client, role=Role.CONNECTOR, revision=newest)
        ) is not None:
            if not await _remover(client).remove(left.id):
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
        real = []
        for model_id in error.ids:
            model = await client.get_model(model_id)
            if model is not None and model.source.get("connector_id") in own:
                real.append(model_id)
        if real:
            words = f"Models {', '.join(real)}, which are not managed here, use it. Delete them first."
            return await managed.blocked(session, Reason.USED_BY_MODELS, words, after=10)
        words = (
            f"OpenSearch takes {', '.join(error.ids)} for users of this connector, which they are not: "
            "it compares ids piece by piece. It lets go when those models are gone; trying again."
        )
        return await managed.blocked(session, Reason.FALSE_CONFLICT, words, after=10)


def _remover(client: MLCommons) -> managed.Remover:
    return managed.Remover(
        "connector", get=client.get_connector, delete=client.delete_connector, client=client
    )


def _ready() -> tuple[Fact, ...]:
    return (
        true(ConditionType.REFERENCES_RESOLVED),
        true(ConditionType.CREDENTIALS_RESOLVED),
        true(ConditionType.SYNCED),
    )
