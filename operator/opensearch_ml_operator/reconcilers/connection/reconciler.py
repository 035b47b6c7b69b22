"""Both kinds of connections: read the identity, ask the cluster who it is, publish the answer.

Nothing remote is managed here. The finalizer only keeps the way to OpenSearch open until the last resource
that needs it for its own deletion has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from ...constants import ACCEPT_CLUSTER_ANNOTATION, ConditionType, Reason
from ...errors import MLCode, MLError, OperatorError
from ...models.cluster_connection import ClusterOpenSearchConnectionSpec, NamespacedRef
from ...models.common import Model, seconds
from ...models.connection import ConnectionUsers, OpenSearchConnectionSpec, OpenSearchConnectionStatus
from ...models.snapshot import ObjectKey, Snapshot
from .. import managed, references
from ..conditions import Fact, false, true
from ..creation import protocol
from ..orphans.handling import Orphans
from ..outcome import Outcome
from ..ports import ConnectionSettings, MLCommons, ServerInfo
from ..records import parse_spec
from ..session import Ports, Session
from . import identity

SPECS: Final[Mapping[str, type[OpenSearchConnectionSpec]]] = {
    references.CONNECTION: OpenSearchConnectionSpec,
    references.CLUSTER_CONNECTION: ClusterOpenSearchConnectionSpec,
}
_OLDEST = (2, 11)
_AWAY_INTERVAL = 5.0
"""Seconds between looks at a cluster that does not answer; refused logins are not repeated that fast."""

_REASONS = {
    MLCode.NOT_SENT: (
        Reason.UNREACHABLE,
        "Check spec.endpoints, DNS, network policies, and that OpenSearch runs.",
    ),
    MLCode.AMBIGUOUS: (Reason.UNREACHABLE, "The cluster does not answer properly; see its health and logs."),
    MLCode.TLS_FAILED: (
        Reason.TLS_FAILED,
        "Check spec.tls.caRef and spec.tls.serverName against the certificate.",
    ),
    MLCode.UNAUTHENTICATED: (Reason.AUTHENTICATION_FAILED, ""),
    MLCode.FORBIDDEN: (Reason.PERMISSION_DENIED, ""),
    MLCode.PLUGIN_MISSING: (Reason.PLUGIN_MISSING, "Install the ML Commons plugin on the cluster."),
}


@dataclass(frozen=True, slots=True)
class _Checked:
    fact: Fact
    info: ServerInfo | None = None


class ConnectionReconciler:
    """Health checks, at `healthInterval` and whenever a call did not get through."""

    def __init__(
        self, ports: Ports, *, orphan_deleted: Callable[[ObjectKey, str], None] = lambda *_: None
    ) -> None:
        self._ports = ports
        self._orphans = Orphans(ports, deleted=orphan_deleted)
        self._counted: dict[str, tuple[object, ConnectionUsers]] = {}
        """By uid: how many use it, and what that was counted by. With thousands it takes its time."""

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Check the connection and show what was found."""
        session = Session(self._ports, snapshot, OpenSearchConnectionStatus)
        return await self._check(session, deleting=False)

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Wait until nobody needs the connection; until then it goes on working."""
        if not references.users(self._ports, snapshot.key):
            # A process that has just started may not have heard of them yet, and they cannot go without us.
            for kind in (references.CONNECTOR, references.MODEL, references.GROUP, references.SETTINGS):
                await self._ports.store.read_all(kind, snapshot.key.namespace)
        if not references.users(self._ports, snapshot.key):
            await self._ports.pool.drop(snapshot.key)
            self._orphans.forget(snapshot.uid)
            self._counted.pop(snapshot.uid, None)
            return Outcome(finalized=True)
        live = await managed.live(self._ports, snapshot)
        if live is None:
            return Outcome(finalized=True)
        session = Session(self._ports, live, OpenSearchConnectionStatus)
        return await self._check(session, deleting=True)

    async def _check(self, session: Session[OpenSearchConnectionStatus], *, deleting: bool) -> Outcome:
        key = session.snapshot.key
        spec = parse_spec(SPECS[key.kind], session.snapshot.spec)
        if isinstance(spec, Fact):
            await session.record(spec)
            return Outcome()
        if spec.tls is not None and not spec.tls.verifies:
            self._warn(session)
        before, version = self._offers(key), session.status.version
        checked = await self._look(session.snapshot, spec, deleting=deleting)
        meanwhile = self._offers(key)
        self._ports.pool.report(key, checked.info)
        facts = [checked.fact]
        if deleting and session.waited(managed.LEAVING):
            facts.append(self._held(session.snapshot))
        # While they all go, each that is gone would cost a write that nobody reads.
        used_by = session.status.used_by if deleting else self._users(session.snapshot)
        if checked.info is None:
            await session.record(*facts, used_by=used_by)
        else:
            orphans: Mapping[str, Any] = {}
            client = self._ports.pool.client(key)
            if _accepted(session.snapshot, checked.info):
                words = f"Cluster {checked.info.cluster_uuid} is accepted in place of the one before."
                session.event("ClusterAccepted", words)
                orphans = {"orphans": [], "orphan_count": None}  # they are the former cluster's
            elif client is not None and not deleting:
                orphans = await self._orphans.look(session, client)
            try:
                await session.record(
                    *facts,
                    **orphans,
                    endpoint=spec.endpoints[0],
                    version=checked.info.version,
                    distribution=checked.info.distribution,
                    cluster_name=checked.info.cluster_name,
                    cluster_uuid=checked.info.cluster_uuid,
                    capabilities=list(checked.info.capabilities),
                    used_by=used_by,
                )
            except OperatorError:
                self._orphans.forget(session.snapshot.uid)  # what was seen is not on record: look again
                raise
        # A call may have broken the connection while it was looked at: who has met that waits to be woken.
        if {before, meanwhile} != {self._offers(key)} or version != session.status.version:
            self._wake(key)
        interval = seconds(spec.health_interval)
        away = checked.fact.reason is Reason.UNREACHABLE
        return Outcome(requeue_after=min(interval, _AWAY_INTERVAL) if away else interval)

    def _offers(self, key: ObjectKey) -> tuple[MLCommons | None, bool, bool]:
        """Return what others wait for: a usable client, and leave to call private addresses.

        New settings make a new client, and who asks before its first look is over waits to be woken.
        """
        pool = self._ports.pool
        return pool.client(key), pool.available(key), pool.private_addresses_allowed(key)

    def _expect_all(self, key: ObjectKey, client: MLCommons) -> None:
        """Have a client that becomes usable read what waits to be looked at in batches, from the first on."""
        for user in self._all_users(key):
            snapshot, kind = self._ports.catalog.get(user), references.REMOTE_KINDS.get(user.kind)
            id_ = snapshot.status.get("id") if snapshot is not None else None
            if kind is not None and isinstance(id_, str) and id_:
                client.expect(kind, id_)

    def _wake(self, key: ObjectKey) -> None:
        for dependent in self._all_users(key):
            self._ports.wake(dependent)

    def _all_users(self, key: ObjectKey) -> set[ObjectKey]:
        """Return everyone who needs the connection; a model may need it through its connector alone."""
        direct = references.users(self._ports, key)
        return {*direct, *(model for user in direct for model in self._ports.catalog.dependents(user))}

    async def _look(self, snapshot: Snapshot, spec: OpenSearchConnectionSpec, *, deleting: bool) -> _Checked:
        settings = await self._settings(snapshot, spec)
        try:
            client = await self._client(snapshot, settings, deleting=deleting)
            if isinstance(client, Fact):
                return _Checked(client)
            info = await client.server_info()
            if _accepted(snapshot, info) and not isinstance(settings, Fact):
                # A client trusts the first cluster that it has met and no other, so it needs a new one.
                await self._ports.pool.drop(snapshot.key)
                client = await self._ports.pool.put(snapshot.key, settings)
                info = await client.server_info()
            if not self._ports.pool.available(snapshot.key):
                self._expect_all(snapshot.key, client)
        except MLError as error:
            reason, advice = _REASONS.get(error.code, (Reason.UNREACHABLE, "See the cluster's logs."))
            if reason is Reason.AUTHENTICATION_FAILED:
                advice = identity.advice(spec.auth, error.message)
            elif reason is Reason.PERMISSION_DENIED:
                advice = identity.permission_advice(spec.auth)
            words = f"{error.message.rstrip('.')}. {advice}"
            return _Checked(false(ConditionType.REACHABLE, reason, words))
        return self._judge(snapshot, info)

    async def _settings(
        self, snapshot: Snapshot, spec: OpenSearchConnectionSpec
    ) -> ConnectionSettings | Fact:
        where = partial(namespace_of, snapshot.key)
        settings = await identity.resolve(self._ports, spec, where)
        if isinstance(settings, Fact):
            return settings
        return replace(settings, imprint=protocol.imprint(snapshot.uid))

    async def _client(
        self, snapshot: Snapshot, settings: ConnectionSettings | Fact, *, deleting: bool
    ) -> MLCommons | Fact:
        if not isinstance(settings, Fact):
            return await self._ports.pool.put(snapshot.key, settings)
        # `kubectl delete -f` takes the Secret too: the identity in memory still cleans up.
        return (self._ports.pool.client(snapshot.key) if deleting else None) or settings

    def _judge(self, snapshot: Snapshot, info: ServerInfo) -> _Checked:
        if not supported(info.version):
            words = (
                f"OpenSearch {info.version} is older than 2.11, the oldest supported. Upgrade the cluster."
            )
            return _Checked(false(ConditionType.REACHABLE, Reason.UNSUPPORTED_VERSION, words, stalled=True))
        if _changed(snapshot, info) and not _accepted(snapshot, info):
            known = snapshot.status["clusterUUID"]
            words = (
                f"The endpoints lead to another cluster ({info.cluster_uuid}) than before ({known}). "
                "Nothing is done there. If this is meant: kubectl annotate --overwrite ... "
                f"{ACCEPT_CLUSTER_ANNOTATION}={info.cluster_uuid}"
            )
            return _Checked(false(ConditionType.REACHABLE, Reason.CLUSTER_CHANGED, words, stalled=True))
        return _Checked(true(ConditionType.REACHABLE, f"{info.distribution} {info.version}"), info)

    def _users(self, snapshot: Snapshot) -> ConnectionUsers:
        version = self._ports.catalog.version, snapshot.resource_version
        counted = self._counted.get(snapshot.uid)
        if counted is None or counted[0] != version:
            kinds = [key.kind for key in self._all_users(snapshot.key)]
            users = ConnectionUsers(
                connectors=kinds.count(references.CONNECTOR),
                models=kinds.count(references.MODEL),
                groups=kinds.count(references.GROUP),
            )
            counted = self._counted[snapshot.uid] = version, users
        return counted[1]

    def _warn(self, session: Session[OpenSearchConnectionStatus]) -> None:
        """Say it once for each version of the spec, not at every look."""
        if session.status.observed_generation != session.snapshot.generation:
            words = "The cluster's certificate is not verified: whoever is on the way can read the password."
            session.event("InsecureTLS", words, warning=True)

    def _held(self, snapshot: Snapshot) -> Fact:
        users = references.users(self._ports, snapshot.key)
        words = (
            f"Still needed by {references.names(users, snapshot.key.namespace)}; it goes when they are gone."
        )
        return false(ConditionType.DELETABLE, Reason.USED_BY_MODELS, words)


def namespace_of(connection: ObjectKey, ref: Model) -> str:
    """Return where a reference of the spec leads: a connection without a namespace names one each time."""
    return ref.namespace if isinstance(ref, NamespacedRef) else connection.namespace


def _changed(snapshot: Snapshot, info: ServerInfo) -> bool:
    """Whether this is another cluster than the one that the objects' ids belong to."""
    return snapshot.status.get("clusterUUID") not in (None, "", info.cluster_uuid)


def _accepted(snapshot: Snapshot, info: ServerInfo) -> bool:
    """Whether a person has taken this very cluster, by its UUID, for the successor of the one before."""
    named = snapshot.annotations.get(ACCEPT_CLUSTER_ANNOTATION)
    return _changed(snapshot, info) and named == info.cluster_uuid


def supported(version: str) -> bool:
    """Whether the operator works with this release of OpenSearch."""
    return _numbers(version) >= _OLDEST


def _numbers(version: str) -> tuple[int, int]:
    parts = [part for part in version.partition("-")[0].split(".") if part.isdigit()]
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 else (0, 0)
