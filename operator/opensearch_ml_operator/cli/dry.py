"""The operator's own reconcilers, for one command: they look at everything, and write nothing.

Each object counts as suspended, so that they say what they would change. What they record stays in memory,
and below them is a transport that refuses to send what could change anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

from ..constants import DELETE_ORPHANS_ANNOTATION
from ..engine.cache import Cache
from ..engine.catalog import KnownObjects
from ..engine.links import Links, references_of
from ..errors import KubernetesForbiddenError, MLCode, MLError, OperatorError
from ..kube.exports import KubeExports
from ..kube.namespaces import list_labels
from ..logs import Redactor
from ..models.snapshot import ObjectKey, Snapshot
from ..opensearch.operations import Operation
from ..opensearch.pool import Pool
from ..opensearch.transport import Transport
from ..reconcilers.connection.reconciler import ConnectionReconciler
from ..reconcilers.connector.reconciler import ConnectorReconciler
from ..reconcilers.group.reconciler import GroupReconciler
from ..reconcilers.model.reconciler import ModelReconciler
from ..reconcilers.outcome import Outcome
from ..reconcilers.ports import SecretSource
from ..reconcilers.references import CLUSTER_CONNECTION, CONNECTION, CONNECTOR, GROUP, MODEL, SETTINGS
from ..reconcilers.session import Ports
from ..reconcilers.settings.reconciler import SettingsReconciler
from .cluster import Cluster
from .remote import NoTokens, aws
from .shell import Shell

CONNECTIONS: Final = (CLUSTER_CONNECTION, CONNECTION)
ORDER: Final = (SETTINGS, GROUP, CONNECTOR, MODEL)
"""Each kind after those that it may refer to."""
_CONDITIONS: Final = ("ReferencesResolved", "CredentialsResolved", "Synced")
_UNSAID: Final = {
    "reason": "Unknown",
    "message": "The operator would wait with a verdict: look again in a moment.",
}
_VERDICTS: Final = frozenset({"conditions", "pendingChanges"})
_STEPS: Final = 5
"""Reconciles that an object may ask for at once, such as one after an adoption."""


class Reconciler(Protocol):
    """What looks at one object."""

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Look."""


class ReadOnly(Transport):
    """Sends what changes nothing, and refuses all else."""

    async def call(
        self, operation: Operation, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Send one request; raises MLError."""
        if method != "GET" and not path.partition("?")[0].endswith("/_search"):
            raise MLError(MLCode.REJECTED, f"{operation} is not sent: nothing is to be changed")
        return await super().call(operation, method, path, body)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the operator thinks of an object; the error says why nobody could ask it."""

    snapshot: Snapshot
    error: OperatorError | None = None

    @property
    def failing(self) -> Mapping[str, Any]:
        """The condition that says that it differs, or why that cannot be said; empty when all is well."""
        found = [self.snapshot.condition(name) for name in _CONDITIONS]
        failing = next((each for each in found if each.get("status") == "False"), {})
        return failing if failing or found[-1] else _UNSAID


class DryRun:
    """Looks at objects as the operator would; `known` are all that it may come across."""

    def __init__(
        self, cluster: Cluster, shell: Shell, secrets: SecretSource, known: Iterable[Snapshot]
    ) -> None:
        redactor = Redactor()
        self._cluster = cluster
        self._cache, self._links = Cache(), Links()
        for each in known:
            snapshot = _harmless(each) if each.key.kind in CONNECTIONS else each
            self._cache.offer(snapshot)
            self._links.replace(snapshot.key, references_of(snapshot))
        self._pool = Pool(
            observer=lambda *_: None,
            tokens=NoTokens(),
            aws=aws(),
            on_failure=lambda _: None,
            wake=lambda _: None,
            clock=time.monotonic,
            transport=ReadOnly,
        )
        ports = Ports(
            store=_Memory(self._cache),
            secrets=redactor.watch(secrets),
            exports=KubeExports(cluster.kube),  # who is suspended exports nothing
            tokens=NoTokens(),
            aws=aws(),
            events=_Silence(),
            pool=self._pool,
            catalog=KnownObjects(self._cache, self._links),
            wake=lambda _: None,
            mask=redactor.mask,
            now=shell.now,
            monotonic=time.monotonic,
            holder="opensearch-ml",
            quiet_period=0.0,
        )
        connections = ConnectionReconciler(ports)
        self._reconcilers: Mapping[str, Reconciler] = {
            CONNECTION: connections,
            CLUSTER_CONNECTION: connections,
            SETTINGS: SettingsReconciler(ports),
            GROUP: GroupReconciler(ports),
            CONNECTOR: ConnectorReconciler(ports),
            MODEL: ModelReconciler(ports),
        }
        self._errors: dict[ObjectKey, OperatorError] = {}

    async def __aenter__(self) -> Self:
        await self._label()
        for kind in CONNECTIONS:
            for connection in self._cache.of_kind(kind):
                await self.look(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    async def look(self, snapshot: Snapshot) -> Looked:
        """Look at an object, after all that it refers to; its status is what the operator would record."""
        for connection in self._links.references(snapshot.key):
            if error := self._errors.get(connection):
                return Looked(snapshot, error)
        spec = snapshot.spec if snapshot.key.kind in CONNECTIONS else {**snapshot.spec, "suspend": True}
        reconciler = self._reconcilers[snapshot.key.kind]
        # Only what is found now counts, not what stands in the status already.
        status = {name: value for name, value in snapshot.status.items() if name not in _VERDICTS}
        seen = replace(snapshot, spec=spec, status=status)
        try:
            for _ in range(_STEPS):
                outcome = await reconciler.reconcile(seen)
                written = self._cache.get(snapshot.key)
                if written is not None and written.resource_version != snapshot.resource_version:
                    seen = replace(written, spec=spec)
                if outcome.requeue_after != 0:
                    break
        except OperatorError as error:
            self._errors[snapshot.key] = error
            return Looked(snapshot, error)
        return Looked(seen)

    async def _label(self) -> None:
        shared = self._cache.of_kind(CLUSTER_CONNECTION)
        if not any((each.spec.get("allowedNamespaces") or {}).get("selector") for each in shared):
            return
        try:
            labels = await list_labels(self._cluster.kube)
        except KubernetesForbiddenError:
            return  # then nobody is let in by a label, as far as one can see
        for namespace, known in labels.items():
            self._cache.label(namespace, known)


def _harmless(connection: Snapshot) -> Snapshot:
    """Return a connection that does not ask for anything to be deleted."""
    annotations = {
        key: word for key, word in connection.annotations.items() if key != DELETE_ORPHANS_ANNOTATION
    }
    spec = {name: value for name, value in connection.spec.items() if name != "orphans"}
    return replace(connection, annotations=annotations, spec=spec)


@dataclass(slots=True)
class _Memory:
    """Implements `StatusStore` over what is known; what is written to it stays there."""

    cache: Cache
    writes: int = field(default=0)

    async def read(self, key: ObjectKey) -> Snapshot | None:
        return self.cache.get(key)

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        known = self.cache.of_kind(kind)
        return tuple(each for each in known if namespace in {"", each.key.namespace})

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        self.writes += 1
        kept = {name: value for name, value in status.items() if value is not None}
        written = snapshot.with_status(kept, resource_version=f"{snapshot.resource_version}-{self.writes}")
        self.cache.offer(written)
        return written


class _Silence:
    """Implements `EventSink`."""

    def post(self, snapshot: Snapshot, *, kind: str, reason: str, message: str) -> None:
        del snapshot, kind, reason, message
