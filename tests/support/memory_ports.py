"""The reconcilers' ports in memory: a Kubernetes of a few objects, and the way to each OpenSearch.

They do what the real ones promise and nothing more; faults are set up call by call. `Stage` puts them
together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opensearch_ml_operator.errors import ObjectGoneError, StatusConflictError
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.opensearch.gate import Bounds, Gate
from opensearch_ml_operator.reconcilers.ports import (
    ConnectionSettings,
    Export,
    GateName,
    Owner,
    SecretData,
    ServerInfo,
)
from opensearch_ml_operator.reconcilers.session import Ports
from support.memory_aws import MemoryAWS
from support.memory_clock import Clock
from support.memory_opensearch import MemoryOpenSearch
from support.memory_tokens import MemoryTokens

NAMESPACE: Final = "team"
CONNECTION: Final = "main"
SECRET: Final = "s3cr3t-value"


class MemoryStore:
    """Objects with a resourceVersion that every write raises. `failures` are raised by the next writes."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Snapshot] = {}
        self.writes: list[Mapping[str, Any]] = []
        self.failures: deque[tuple[Exception, bool]] = deque()
        """Each with whether the write has landed all the same."""

    async def read(self, key: ObjectKey) -> Snapshot | None:
        return self.objects.get(key)

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        """Return the objects; the catalog of these ports knows all of them from the beginning."""
        objects = self.objects.items()
        return tuple(each for key, each in objects if key.kind == kind and namespace in ("", key.namespace))

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        failure, landed = self.failures.popleft() if self.failures else (None, True)
        if failure is not None and not landed:
            raise failure
        current = self.objects.get(snapshot.key)
        if current is None:
            raise ObjectGoneError(f"{snapshot.key} is gone")
        if current.resource_version != snapshot.resource_version:
            raise StatusConflictError(f"{snapshot.key} has changed")
        stored = current.with_status(status, resource_version=str(int(current.resource_version) + 1))
        self.objects[snapshot.key] = stored
        self.writes.append(status)
        if failure is not None:
            raise failure
        return stored

    def change(self, key: ObjectKey, **changes: Any) -> Snapshot:
        """Change an object as somebody else would."""
        current = self.objects[key]
        generation = current.generation + ("spec" in changes)
        version = str(int(current.resource_version) + 1)
        changed = replace(current, **changes, generation=generation, resource_version=version)
        self.objects[key] = changed
        return changed


class MemorySecrets:
    """Secrets and ConfigMaps by (namespace, name)."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], SecretData] = {}
        self.config_maps: dict[tuple[str, str], SecretData] = {}

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        return self.secrets.get((namespace, name))

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        del max_age
        data = await self.secret(namespace, name)
        return None if data is None else data.revision

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        return self.config_maps.get((namespace, name))


class MemoryExports:
    """ConfigMaps and Secrets by (kind, name). `failures` are raised by the next writes."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Export] = {}
        self.writes: list[str] = []
        self.failures: deque[Exception] = deque()

    async def read(self, kind: str, namespace: str, name: str) -> Export | None:
        del namespace
        return self.objects.get((kind, name))

    async def create(self, kind: str, name: str, *, owner: Snapshot, data: Mapping[str, str]) -> None:
        self._begin("create")
        owners = (Owner(owner.key.kind, owner.key.name, owner.uid),)
        self.objects[kind, name] = Export("uid", str(len(self.writes)), owners, dict(data))

    async def patch(
        self, kind: str, namespace: str, name: str, *, before: Export, data: Mapping[str, str | None]
    ) -> None:
        del namespace
        self._begin("patch")
        assert self.objects[kind, name] == before
        kept = {key: text for key, text in {**before.data, **data}.items() if text is not None}
        self.objects[kind, name] = replace(before, resource_version=str(len(self.writes)), data=kept)

    async def delete(self, kind: str, namespace: str, name: str, *, before: Export) -> None:
        del namespace
        self._begin("delete")
        assert self.objects.pop((kind, name)) == before

    def _begin(self, verb: str) -> None:
        if self.failures:
            raise self.failures.popleft()
        self.writes.append(verb)


class RecordedEvents:
    """The Events that were posted."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, str]] = []

    def post(self, snapshot: Snapshot, *, kind: str, reason: str, message: str) -> None:
        del snapshot
        self.posted.append((kind, reason, message))

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.posted]


class MemoryCatalog:
    """What is in the store, and the links that a test makes."""

    def __init__(
        self,
        store: MemoryStore,
        links: Mapping[ObjectKey, tuple[ObjectKey, ...]],
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._store = store
        self._links = links
        self._labels = labels or {}

    def get(self, key: ObjectKey) -> Snapshot | None:
        return self._store.objects.get(key)

    def all(self, kind: str) -> tuple[Snapshot, ...]:
        return tuple(each for key, each in self._store.objects.items() if key.kind == kind)

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        return self._links.get(key, ())

    @property
    def version(self) -> object:
        return object()  # a test may have changed anything

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._labels.get(namespace)


class MemoryPool:
    """Real gates around clients that a test puts in."""

    def __init__(self) -> None:
        self.clients: dict[ObjectKey, MemoryOpenSearch] = {}
        self.unavailable: set[ObjectKey] = set()
        self.private = True
        self.woken: list[ObjectKey] = []
        self._gates: dict[tuple[ObjectKey, GateName], Gate] = {}

    def client(self, key: ObjectKey) -> MemoryOpenSearch | None:
        return self.clients.get(key)

    def available(self, key: ObjectKey) -> bool:
        return key in self.clients and key not in self.unavailable

    def private_addresses_allowed(self, key: ObjectKey) -> bool:
        del key
        return self.private

    def gate(self, key: ObjectKey, name: GateName) -> Gate:
        return self._gates.setdefault((key, name), Gate(Bounds(4, 4), self.woken.append, clock=lambda: 0.0))

    async def put(self, key: ObjectKey, settings: ConnectionSettings) -> MemoryOpenSearch:
        del settings
        return self.clients[key]

    async def drop(self, key: ObjectKey) -> None:
        self.clients.pop(key, None)

    def report(self, key: ObjectKey, found: ServerInfo | None) -> None:
        self.private = found is None or found.private_addresses_allowed
        (self.unavailable.add if found is None else self.unavailable.discard)(key)


@dataclass(frozen=True, slots=True)
class Stage:
    """One namespace, one or more clusters, and the ports to both."""

    clock: Clock = field(default_factory=Clock)
    store: MemoryStore = field(default_factory=MemoryStore)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    exports: MemoryExports = field(default_factory=MemoryExports)
    tokens: MemoryTokens = field(default_factory=MemoryTokens)
    aws: MemoryAWS = field(default_factory=MemoryAWS)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    pool: MemoryPool = field(default_factory=MemoryPool)
    links: dict[ObjectKey, tuple[ObjectKey, ...]] = field(default_factory=dict)
    """Who refers to whom."""
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of the namespaces that are known."""
    quiet_period: float = 120.0

    def ports(self, holder: str = "pod-1") -> Ports:
        """Return the ports of one operator process."""
        return Ports(
            store=self.store,
            secrets=self.secrets,
            exports=self.exports,
            tokens=self.tokens,
            aws=self.aws,
            events=self.events,
            pool=self.pool,
            catalog=MemoryCatalog(self.store, self.links, self.labels),
            wake=self.pool.woken.append,
            mask=lambda text: text.replace(SECRET, "***"),
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            holder=holder,
            quiet_period=self.quiet_period,
        )

    def cluster(self, name: str = CONNECTION) -> MemoryOpenSearch:
        """Add a connection that works, and return the cluster behind it."""
        connection = self.add("OpenSearchConnection", name, status=ready())
        self.pool.clients[connection.key] = MemoryOpenSearch(self.clock)
        return self.pool.clients[connection.key]

    def add(self, kind: str, name: str, **fields: Any) -> Snapshot:
        """Add an object that carries our finalizer."""
        key = ObjectKey(kind, NAMESPACE, name)
        snapshot = Snapshot(
            key=key,
            uid=f"uid-{kind}-{name}",
            resource_version="1",
            generation=1,
            created="2026-01-01T00:00:00Z",
            deleting=False,
            finalizer=True,
        )
        self.store.objects[key] = replace(snapshot, **fields)
        return self.store.objects[key]


def ready(status: str = "True", reason: str = "Succeeded", **more: Any) -> dict[str, Any]:
    """Return a status whose verdict is this one."""
    return {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": ""}], **more}
