"""MLClusterSettings: settings of ML Commons on one cluster, put back when nobody wants them any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.common import StatusBase
from ...models.settings import MLClusterSettingsSpec, MLClusterSettingsStatus
from ...models.snapshot import ObjectKey, Snapshot
from .. import holding, managed, references
from ..conditions import Fact, false, find, true
from ..corrections import LIMIT, Corrections
from ..outcome import Outcome
from ..ports import ClusterSettings, MLCommons
from ..records import digest, moment, parse_spec
from ..references import Connected
from ..session import Ports, Session
from .claims import Claim, Wish, wish
from .plan import Held, Plan, differences, plan

HANDOVER = 30.0
"""Seconds between looks at a setting that somebody else has; he also wakes us when he lets it go."""

_Session: TypeAlias = Session[MLClusterSettingsStatus]


class SettingsReconciler:
    """Holds, keeps and lets go settings: read, record what stood, change, read again."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._corrections = Corrections(ports.monotonic)

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Bring the settings to what the spec says."""
        session = Session(self._ports, snapshot, MLClusterSettingsStatus)
        spec = parse_spec(MLClusterSettingsSpec, snapshot.spec)
        if isinstance(spec, Fact):
            await session.record(spec)
            return Outcome()
        wanted = wish(spec)
        if isinstance(wanted, Fact):
            await session.record(wanted)
            return Outcome()
        key = references.connection_key(snapshot)
        connected = references.connection(self._ports, key, snapshot.key)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        gate = self._ports.pool.gate(key, "settings")
        if not gate.try_enter(snapshot.key, "settings"):
            return Outcome(requeue_after=HANDOVER)
        try:
            return await self._keep(session, connected, spec, wanted)
        except MLError as error:
            return await managed.refused(session, error, doing="change the settings")
        finally:
            gate.leave(snapshot.key)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Put back what stood before, unless it is to be left, and see that it stands."""
        live = await managed.live(self._ports, snapshot)
        if live is None:
            return Outcome(finalized=True)
        session = Session(self._ports, live, MLClusterSettingsStatus)
        held = _held(session)
        if held == Held() or live.retain or not _restores(live):
            if held != Held():
                session.event("Retained", "The settings stay in OpenSearch as they are.")
            return self._finalized(live)
        connected = managed.connection_for_deletion(self._ports, references.connection_key(live))
        if not isinstance(connected, Connected):
            await managed.unconnected(session, connected)
            return Outcome(requeue_after=HANDOVER)  # an annotation that lets it go is seen only by looking
        gate = self._ports.pool.gate(connected.key, "settings")
        if not gate.try_enter(live.key, "settings"):
            return Outcome(requeue_after=HANDOVER)
        try:
            return await self._restore(session, connected)
        except MLError as error:
            return await managed.blocked(session, Reason.CONNECTION_UNAVAILABLE, error.message, after=5)
        finally:
            gate.leave(live.key)

    async def _keep(
        self, session: _Session, connected: Connected, spec: MLClusterSettingsSpec, wanted: Wish
    ) -> Outcome:
        mine = replace(Claim.of(session.snapshot), wish=wanted)
        hold = holding.of(spec)
        # Who only observes is in nobody's way, and nobody is in his.
        observing = hold is not None and hold.observing
        rivals = () if observing else self._rivals(session.snapshot, connected.key)
        restore = spec.on_delete == "Restore"
        held = _held(session)
        standing = await connected.client.read_settings()
        step = plan(mine, rivals, held, standing, restore=restore)
        found = differences(step, standing, mask=self._ports.mask)
        session.differs(found)
        if hold is not None:
            verdict = _verdict(step, session.snapshot.key.namespace)
            if found:
                verdict = (true(ConditionType.REFERENCES_RESOLVED), holding.synced(hold, found))
            await session.record(*verdict)
            return self._rest(session, spec, replace(step, again=False))
        if step.hold != held:
            fact = false(ConditionType.SYNCED, Reason.UPDATING, "What stands is on record; changing it next.")
            await session.record(fact, strict=True, **_record(step.hold))
        if step.changes:
            if self._loops(session, step):
                words = f"{_names(step.changes)}: changed back every time. Find out who or what does it."
                await session.record(false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words))
                return Outcome(requeue_after=managed.NET)
            standing = await self._change(session, connected.client, step)
            seen = plan(mine, rivals, step.hold, standing, restore=restore)
            if seen.changes:
                words = (
                    f"OpenSearch does not show the new value of {_names(seen.changes)} yet; looking again."
                )
                await session.record(false(ConditionType.SYNCED, Reason.UPDATING, words))
                return Outcome(retry=True)
        unclear = session.status.unclear_since if self._unclear_for(session) > 0 else None
        verdict = _verdict(step, session.snapshot.key.namespace)
        await session.record(*verdict, unclear_since=unclear, **_record(step.keep))
        let_go = step.keep != step.hold
        self._wake(rival.key for rival in rivals if let_go or rival.key in step.in_the_way.values())
        return self._rest(session, spec, step)

    async def _restore(self, session: _Session, connected: Connected) -> Outcome:
        rivals = self._rivals(session.snapshot, connected.key)
        mine = Claim.of(session.snapshot)
        standing = await connected.client.read_settings()
        step = plan(mine, rivals, _held(session), standing, restore=True)
        if step.changes:
            standing = await self._change(session, connected.client, step)
            if plan(mine, rivals, _held(session), standing, restore=True).changes:
                return Outcome(retry=True)
        if (left := self._unclear_for(session)) > 0:
            return Outcome(requeue_after=left)
        return self._finalized(session.snapshot)

    async def _change(self, session: _Session, client: MLCommons, step: Plan) -> ClusterSettings:
        drift = _was_synced(session)
        try:
            await client.update_settings(step.changes)
        except MLError as error:
            if error.code is MLCode.AMBIGUOUS:
                await session.record(unclear_since=session.now)
            raise
        self._corrections.add(session.snapshot.uid, digest(dict(step.changes)))
        if drift:
            session.event("DriftCorrected", f"Put back {_names(step.changes)}, which somebody had changed.")
        else:
            session.event("Updated", f"Changed {_names(step.changes)}.")
        return await client.read_settings()

    def _finalized(self, snapshot: Snapshot) -> Outcome:
        self._corrections.forget(snapshot.uid)
        rivals = self._rivals(snapshot, references.connection_key(snapshot))
        self._wake(rival.key for rival in rivals)
        return Outcome(finalized=True)

    def _rivals(self, snapshot: Snapshot, connection: ObjectKey) -> tuple[Claim, ...]:
        """Return the other objects with settings of this connection."""
        keys = self._ports.catalog.dependents(connection)
        known = (
            self._ports.catalog.get(key)
            for key in keys
            if key.kind == references.SETTINGS and key != snapshot.key
        )
        return tuple(self._claim(other, connection) for other in known if other is not None)

    def _claim(self, other: Snapshot, connection: ObjectKey) -> Claim:
        """Return another object's claim; from a namespace that is not let in, only what it holds counts."""
        claim = Claim.of(other)
        if references.allowed(self._ports, connection, other.key.namespace):
            return claim
        return replace(claim, wish=Wish())

    def _loops(self, session: _Session, step: Plan) -> bool:
        """Whether this very change was made again and again; a person's word makes it worth another try."""
        if session.asked or session.status.observed_generation != session.snapshot.generation:
            return False
        return self._corrections.count(session.snapshot.uid, digest(dict(step.changes))) >= LIMIT

    def _unclear_for(self, session: _Session) -> float:
        """Return the seconds in which a change without a clear answer may still be carried out."""
        since = moment(session.status.unclear_since)
        if since is None:
            return 0.0
        return self._ports.quiet_period - (self._ports.now() - since).total_seconds()

    def _rest(self, session: _Session, spec: MLClusterSettingsSpec, step: Plan) -> Outcome:
        """Come back at the next resync, or earlier when somebody is in the way or a change is unclear."""
        if step.again:
            return Outcome(requeue_after=0)
        waits = [
            HANDOVER if step.in_the_way else None,
            self._unclear_for(session) if session.status.unclear_since else None,
            managed.resync(spec.resync_interval),
        ]
        return Outcome(requeue_after=min((wait for wait in waits if wait is not None), default=None))

    def _wake(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self._ports.wake(key)


def _verdict(step: Plan, namespace: str) -> tuple[Fact, ...]:
    resolved = true(ConditionType.REFERENCES_RESOLVED)
    if step.in_the_way:
        # Who uses a connection of the whole cluster is told nothing about the namespaces of others.
        blocked = "; ".join(
            f"{name} by {key.name if key.namespace == namespace else 'one of another namespace'}"
            for name, key in sorted(step.in_the_way.items())
        )
        words = (
            f"Set by another {references.SETTINGS} of this connection: {blocked}. Take the setting out of "
            "one of the two; this object takes over when the other one lets go."
        )
        return resolved, false(ConditionType.SYNCED, Reason.CONFLICT, words, stalled=True)
    if step.overridden:
        words = (
            f"A transient value in OpenSearch overrides {', '.join(step.overridden)}. Reset it there: "
            'PUT /_cluster/settings {"transient": {NAME: null}}.'
        )
        return resolved, false(ConditionType.SYNCED, Reason.CONFLICT, words, stalled=True)
    if step.again:
        return resolved, false(ConditionType.SYNCED, Reason.UPDATING, "Letting go what was set another way.")
    return resolved, true(ConditionType.SYNCED)


def _held(session: _Session) -> Held:
    return Held(session.status.previous, session.status.trusted_endpoints)


def _record(held: Held) -> dict[str, Any]:
    return {"previous": dict(held.previous), "trusted_endpoints": held.trusted}


def _restores(snapshot: Snapshot) -> bool:
    """Tell from the raw spec what to do: deletion must work for a spec that no longer parses."""
    return bool(snapshot.spec.get("onDelete") != "Leave")


def _was_synced(session: Session[StatusBase]) -> bool:
    """Whether this very spec stood in OpenSearch when it was last looked at."""
    synced = find(session.status.conditions, ConditionType.SYNCED)
    if synced is None or synced.status != "True" or session.snapshot.deleting:
        return False
    return synced.observed_generation == session.snapshot.generation


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
