"""An OpenSearch without a network: it does what the real one promises and nothing more.

Faults are set up call by call.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.reconcilers.ports import (
    ClusterSettings,
    Hit,
    Mentions,
    Registered,
    ServerInfo,
)
from support.memory_clock import Clock


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in place of an answer; the call may have had its effect before, or have it `later`."""

    error: MLError
    carried_out: bool = False
    takes: float = 0.0
    """Seconds until the caller gives up."""


_LOADED = frozenset({"DEPLOYED", "DEPLOYING", "PARTIALLY_DEPLOYED"})


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
        self.meanwhile: dict[str, Callable[[], object]] = {}
        """What somebody else does while the next such call is under way."""
        self.deployed_state: deque[str] = deque()
        """The states that the next deploys lead to; DEPLOYED when nothing is said."""

        self.named: dict[str, Mentions] = {}
        """Who names an id."""
        self.foreign: set[str] = set()
        """Ids of what was made through another connection."""

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

    async def update_connector(self, connector_id: str, body: Mapping[str, Any]) -> None:
        loaded = tuple(
            id_
            for id_, doc in self.docs["model"].items()
            if doc.get("connector_id") == connector_id and doc.get("model_state") in _LOADED
        )
        if loaded:
            self.fail("update_connector", MLCode.IN_USE, error={"ids": loaded})
        doc = self.docs["connector"].get(connector_id, {})
        changes = {key: value for key, value in body.items() if key != "credential"}
        changes["parameters"] = {**doc.get("parameters", {}), **body.get("parameters", {})}
        self._update("update_connector", "connector", connector_id, changes)

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
        shown = {**_without_credential(body), "model_state": "REGISTERED", "model_version": "1"}
        return Registered(self._create("register_model", "model", shown), self._task("COMPLETED"))

    async def get_model(self, model_id: str) -> Hit | None:
        return self._get("get_model", "model", model_id)

    async def update_model(self, model_id: str, body: Mapping[str, Any]) -> None:
        if self.docs["model"][model_id]["model_state"] == "DEPLOYING":
            self.fail("update_model", MLCode.BUSY)
        shown = _without_credential(body)
        if "connector" in shown:
            before = self.docs["model"][model_id]["connector"]
            parameters = {**before["parameters"], **shown["connector"].get("parameters", {})}
            shown["connector"] = {**before, **shown["connector"], "parameters": parameters}
        self._update("update_model", "model", model_id, shown)

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

    async def search_markers(self, kind: str, stem: str) -> tuple[Hit, ...]:
        _end(self._begin(f"search_{kind}"))
        found = {
            id_: dict(doc)
            for id_, doc in self.docs[kind].items()
            if any(word.startswith(stem) for word in str(doc["description"]).split())
        }
        return tuple(Hit(id_, doc) for id_, doc in found.items())

    async def search_imprint(self, kind: str) -> tuple[Hit, ...]:
        _end(self._begin(f"search_imprint_{kind}"))
        found = (id_ for id_ in self.docs[kind] if id_ not in self.foreign)
        return tuple(Hit(id_, dict(self.docs[kind][id_])) for id_ in found)

    async def search_users(self, kind: str, object_id: str) -> tuple[Hit, ...]:
        _end(self._begin("search_users"))
        field = {"connector": "connector_id", "group": "model_group_id"}[kind]
        models = self.docs["model"].items()
        return tuple(Hit(id_, dict(doc)) for id_, doc in models if doc.get(field) == object_id)

    async def mentions(self, object_id: str, *, max_age: float = 5.0) -> Mentions:
        assert max_age >= 0
        _end(self._begin("mentions"))
        return self.named.get(object_id, Mentions())

    async def search_name(self, kind: str, name: str) -> tuple[Hit, ...]:
        _end(self._begin(f"search_{kind}"))
        return tuple(Hit(id_, dict(doc)) for id_, doc in self.docs[kind].items() if doc["name"] == name)

    async def observe(self, kind: str, object_id: str, *, max_age: float) -> Hit | None:
        del max_age
        return self._get(f"observe_{kind}", kind, object_id)

    def expect(self, kind: str, object_id: str) -> None:
        pass

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
        self.meanwhile.pop(call, lambda: None)()
        failure = self.failures[call].popleft() if self.failures[call] else None
        self._clock.seconds += failure.takes if failure is not None else 0.0
        return failure


def embedding(length: int) -> dict[str, Any]:
    """Return an answer of ML Commons that holds one vector."""
    output = {"name": "sentence_embedding", "data_type": "FLOAT32", "data": [0.5] * length}
    return {"inference_results": [{"output": [output], "status_code": 200}]}


def _without_credential(body: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in body.get("connector", {}).items() if key != "credential"}
    return {**body, "connector": own} if own else dict(body)


def _end(failure: Failure | None) -> None:
    if failure is not None:
        raise failure.error
