"""The reconcilers' ports in memory: a Kubernetes of a few objects, and an OpenSearch without a network.

Both do what the real ones promise and nothing more; faults are set up call by call. `Stage` puts them
together.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from opensearch_ml_operator.errors import MLCode, MLError, ObjectGoneError, StatusConflictError
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.opensearch.gate import Gate
from opensearch_ml_operator.reconcilers.ports import (
    ClusterSettings,
    ConnectionSettings,
    GateName,
    Hit,
    Registered,
    SecretData,
    ServerInfo,
)
from opensearch_ml_operator.reconcilers.session import Ports

NAMESPACE: Final = "team"
CONNECTION: Final = "main"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECRET: Final = "s3cr3t-value"


class Clock:
    """Wall clock and monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class MemoryStore:
    """Objects with a resourceVersion that every write raises. `failures` are raised by the next writes."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Snapshot] = {}
        self.writes: list[Mapping[str, Any]] = []
        self.failures: deque[tuple[Exception, bool]] = deque()
        """Each with whether the write has landed all the same."""

    async def read(self, key: ObjectKey) -> Snapshot | None:
        return self.objects.get(key)

    async def read_all(self, kind: str, namespace: str) -> None:
        """Do nothing: the catalog of these ports knows all objects from the beginning."""

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

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        return self.config_maps.get((namespace, name))


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

    def __init__(self, store: MemoryStore, links: Mapping[ObjectKey, tuple[ObjectKey, ...]]) -> None:
        self._store = store
        self._links = links

    def get(self, key: ObjectKey) -> Snapshot | None:
        return self._store.objects.get(key)

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        return self._links.get(key, ())


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
        return self._gates.setdefault((key, name), Gate(4, self.woken.append))

    async def put(self, key: ObjectKey, settings: ConnectionSettings) -> MemoryOpenSearch:
        del settings
        return self.clients[key]

    async def drop(self, key: ObjectKey) -> None:
        self.clients.pop(key, None)

    def report(self, key: ObjectKey, *, healthy: bool, private_addresses_allowed: bool = True) -> None:
        self.private = private_addresses_allowed
        (self.unavailable.discard if healthy else self.unavailable.add)(key)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in place of an answer; the call may have had its effect before, or have it `later`."""

    error: MLError
    carried_out: bool = False
    takes: float = 0.0
    """Seconds until the caller gives up."""


class MemoryOpenSearch:
    """The documents of one cluster, with the server's defaults filled in; models deploy at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(1)
        self.ids: deque[str] = deque()
        """Ids to give out before the usual ones."""
        self.docs: dict[str, dict[str, dict[str, Any]]] = {"connector": {}, "group": {}, "model": {}}
        self.settings: dict[str, dict[str, Any]] = {"persistent": {}, "transient": {}, "defaults": {}}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.failures: dict[str, deque[Failure]] = defaultdict(deque)
        self.deployed_state: deque[str] = deque()
        """The states that the next deploys lead to; DEPLOYED when nothing is said."""

        self.predictions: list[tuple[str, dict[str, Any]]] = []
        """Which model was called, and with what."""
        self.answers: deque[dict[str, Any]] = deque()
        """Answers to the next predictions; an embedding when there are none."""

    def fail(self, call: str, code: MLCode, **how: Any) -> None:
        """Answer the next such call with an error."""
        self.failures[call].append(Failure(MLError(code, f"{call} failed", **how.pop("error", {})), **how))

    def count(self, *calls: str) -> int:
        return sum(call in calls for call in self.calls)

    async def server_info(self) -> ServerInfo:
        return ServerInfo("3.6.0", "opensearch", "memory", "uuid", (), private_addresses_allowed=True)

    async def read_settings(self) -> ClusterSettings:
        _end(self._begin("read_settings"))
        return ClusterSettings(**{name: dict(layer) for name, layer in self.settings.items()})

    async def update_settings(self, changes: Mapping[str, Any]) -> None:
        failure = self._begin("update_settings")
        if failure is None or failure.carried_out:
            merged = {**self.settings["persistent"], **json.loads(json.dumps(changes))}
            self.settings["persistent"] = {name: value for name, value in merged.items() if value is not None}
        _end(failure)

    async def create_connector(self, body: Mapping[str, Any]) -> str:
        shown = {"access" if key == "access_mode" else key: value for key, value in body.items()}
        shown.pop("credential")
        return self._create("create_connector", "connector", shown)

    async def get_connector(self, connector_id: str) -> Hit | None:
        return self._get("get_connector", "connector", connector_id)

    async def delete_connector(self, connector_id: str) -> None:
        self._delete("delete_connector", "connector", connector_id, users="connector_id")

    async def create_group(self, body: Mapping[str, Any]) -> str:
        shown = {"access" if key == "access_mode" else key: value for key, value in body.items()}
        return self._create("create_group", "group", shown)

    async def get_group(self, group_id: str) -> Hit | None:
        return self._get("get_group", "group", group_id)

    async def update_group(self, group_id: str, body: Mapping[str, Any]) -> None:
        shown = {"access" if key == "access_mode" else key: value for key, value in body.items()}
        self._update("update_group", "group", group_id, shown)

    async def delete_group(self, group_id: str) -> None:
        self._delete("delete_group", "group", group_id, users="model_group_id")

    async def register_model(self, body: Mapping[str, Any]) -> Registered:
        shown = {**body, "model_state": "REGISTERED", "model_version": "1"}
        return Registered(self._create("register_model", "model", shown), self._task("COMPLETED"))

    async def get_model(self, model_id: str) -> Hit | None:
        return self._get("get_model", "model", model_id)

    async def update_model(self, model_id: str, body: Mapping[str, Any]) -> None:
        if self.docs["model"][model_id]["model_state"] == "DEPLOYING":
            self.fail("update_model", MLCode.BUSY)
        self._update("update_model", "model", model_id, body)

    async def delete_model(self, model_id: str) -> None:
        state = self.docs["model"].get(model_id, {}).get("model_state")
        if state in {"DEPLOYING", "DEPLOYED", "PARTIALLY_DEPLOYED"}:
            self.fail("delete_model", MLCode.BUSY)
        self._delete("delete_model", "model", model_id)

    async def deploy_model(self, model_id: str) -> str:
        failure = self._begin("deploy_model")
        if failure is None or failure.carried_out:
            state = self.deployed_state.popleft() if self.deployed_state else "DEPLOYED"
            self.show("model", model_id, model_state=state)
        _end(failure)
        return self._task("RUNNING")

    async def undeploy_model(self, model_id: str) -> None:
        failure = self._begin("undeploy_model")
        if failure is None or failure.carried_out:
            self.show("model", model_id, model_state="UNDEPLOYED")
        _end(failure)

    async def loaded_nodes(self, model_id: str) -> int:
        _end(self._begin("loaded_nodes"))
        return int(self.docs["model"][model_id]["model_state"] == "DEPLOYED")

    async def predict(self, model_id: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        failure = self._begin("predict")
        self.predictions.append((model_id, dict(request)))
        if self.docs["model"][model_id]["model_state"] != "DEPLOYED":
            self.show("model", model_id, model_state="DEPLOYED")
        _end(failure)
        return self.answers.popleft() if self.answers else embedding(4)

    async def get_task(self, task_id: str) -> Mapping[str, Any] | None:
        _end(self._begin("get_task"))
        return self.tasks.get(task_id)

    async def search_marker(self, kind: str, marker: str) -> tuple[Hit, ...]:
        _end(self._begin(f"search_{kind}"))
        found = (id_ for id_, doc in self.docs[kind].items() if marker in str(doc["description"]).split())
        return tuple(Hit(id_, dict(self.docs[kind][id_])) for id_ in found)

    async def observe(self, kind: str, object_id: str, *, max_age: float) -> Hit | None:
        del max_age
        return self._get(f"observe_{kind}", kind, object_id)

    def forget(self, kind: str, object_id: str) -> None:
        pass

    def show(self, kind: str, object_id: str, **fields: Any) -> None:
        """Change a document as somebody else, or the server itself, would."""
        self.docs[kind][object_id] |= fields

    def put(self, kind: str, body: Mapping[str, Any]) -> str:
        """Make a document past all calls."""
        id_ = self.ids.popleft() if self.ids else f"{kind}{next(self._ids)}"
        self.docs[kind][id_] = {**body, "created_time": int(self._clock.seconds * 1000)}
        return id_

    def _create(self, call: str, kind: str, body: Mapping[str, Any]) -> str:
        failure = self._begin(call)
        if failure is not None and not failure.carried_out:
            raise failure.error
        id_ = self.put(kind, body)
        _end(failure)
        return id_

    def _get(self, call: str, kind: str, object_id: str) -> Hit | None:
        _end(self._begin(call))
        document = self.docs[kind].get(object_id)
        return None if document is None else Hit(object_id, dict(document))

    def _update(self, call: str, kind: str, object_id: str, body: Mapping[str, Any]) -> None:
        failure = self._begin(call)
        if failure is None or failure.carried_out:
            self.docs[kind][object_id] |= body
        _end(failure)

    def _delete(self, call: str, kind: str, object_id: str, *, users: str = "") -> None:
        models = tuple(id_ for id_, doc in self.docs["model"].items() if doc.get(users) == object_id)
        if models:
            self.fail(call, MLCode.IN_USE, error={"ids": models})
        failure = self._begin(call)
        if failure is None or failure.carried_out:
            self.docs[kind].pop(object_id, None)
        _end(failure)

    def _task(self, state: str) -> str:
        id_ = f"task{next(self._ids)}"
        self.tasks[id_] = {"state": state}
        return id_

    def _begin(self, call: str) -> Failure | None:
        self.calls.append(call)
        failure = self.failures[call].popleft() if self.failures[call] else None
        self._clock.seconds += failure.takes if failure is not None else 0.0
        return failure


def embedding(length: int) -> dict[str, Any]:
    """Return an answer of ML Commons that holds one vector."""
    output = {"name": "sentence_embedding", "data_type": "FLOAT32", "data": [0.5] * length}
    return {"inference_results": [{"output": [output], "status_code": 200}]}


def _end(failure: Failure | None) -> None:
    if failure is not None:
        raise failure.error


@dataclass(frozen=True, slots=True)
class Stage:
    """One namespace, one or more clusters, and the ports to both."""

    clock: Clock = field(default_factory=Clock)
    store: MemoryStore = field(default_factory=MemoryStore)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    pool: MemoryPool = field(default_factory=MemoryPool)
    links: dict[ObjectKey, tuple[ObjectKey, ...]] = field(default_factory=dict)
    """Who refers to whom."""
    quiet_period: float = 120.0

    def ports(self, holder: str = "pod-1") -> Ports:
        """Return the ports of one operator process."""
        return Ports(
            store=self.store,
            secrets=self.secrets,
            events=self.events,
            pool=self.pool,
            catalog=MemoryCatalog(self.store, self.links),
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
