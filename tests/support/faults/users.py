"""What people do to the two servers and see in them, over HTTP: the same on fakes and on real servers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opensearch_ml_operator.constants import API_VERSION
from opensearch_ml_operator.models.kinds import KINDS

from .proxy import Upstream
from .wire import Headers, Request, read_response

ML: Final = "/_plugins/_ml"
REMOTE_KINDS: Final = ("connectors", "model_groups", "models")
_IDS: Final = {"connectors": "connector_id", "model_groups": "model_group_id", "models": "model_id"}
CANARY: Final = "Canary-7f3a-"
"""All secrets begin so: whatever shows it has let one out."""
PLURALS: Final = tuple(kind.plural for kind in KINDS if kind.scope == "Namespaced")
NOBODYS: Final = "Not managed by anybody"
_TRIES: Final = 200
_CUTS: Final = 5
_HYPHENS: Final = 12
"""As many ids with a hyphen are put up with: a node may put one into every id."""
_REQUEST: Final = "opensearchml.io/reconcile-requested-at"
_KINDS: Final = {kind.plural: kind.kind for kind in KINDS}
_MERGE: Final = ("Content-Type", "application/merge-patch+json")
_JSON: Final = ("Content-Type", "application/json")

Doc = dict[str, Any]


def nothing() -> dict[str, set[str]]:
    """Return no ids of each kind."""
    return {kind: set() for kind in REMOTE_KINDS}


@dataclass(frozen=True, slots=True)
class Door:
    """One server, with the rights of its administrator."""

    upstream: Upstream
    headers: Headers = ()

    async def call(self, method: str, path: str, body: Any = None, kind: tuple[str, str] = _JSON) -> Any:
        """Return the answer's status and document; what changes nothing is asked for again after a cut."""
        for _ in range(_CUTS if method == "GET" or path.endswith("/_search") else 0):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                return await self._call(method, path, body, kind)
            await asyncio.sleep(1.0)
        return await self._call(method, path, body, kind)

    async def _call(self, method: str, path: str, body: Any, kind: tuple[str, str]) -> Any:
        reader, writer = await self.upstream.connect()
        raw = b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, (kind, ("Connection", "close"), *self.headers), raw)
        writer.write(request.encode(f"{self.upstream.host}:{self.upstream.port}"))
        response = await read_response(reader)
        writer.close()
        try:
            return response.status, json.loads(response.body or b"null")
        except ValueError:  # what an API server says before it serves a kind is no JSON
            raise ConnectionError(response.body[:100]) from None


@dataclass(slots=True)
class Users:
    """One namespace, and what belongs to it in OpenSearch: all remote names begin with the namespace."""

    kube: Door
    opensearch: Door
    namespace: str
    endpoint: str
    """Where the operator finds OpenSearch."""
    model_url: str = "http://127.0.0.1:9/v1/embeddings"
    resync: str = "60s"
    health: str = "30s"
    foreign: dict[str, set[str]] = field(default_factory=nothing)
    """Ids of objects of somebody else, by kind: they stay, and only who adopts them may change them."""
    retained: set[str] = field(default_factory=set)
    """Uids (hex) of resources whose objects in OpenSearch are to outlive them."""
    condemned: set[str] = field(default_factory=set)
    """Ids of orphans that a person has named for deletion."""
    _generation: int = 0

    # What users do

    async def create_everything(self) -> None:
        """Create one object of each kind at once, the last first, as `kubectl` may well do."""
        await self.create_namespace()
        model = {
            **self.common,
            "connectorRef": {"name": "connector"},
            "modelGroupRef": {"name": "group"},
            "description": "A model",
        }
        await self.create("remotemodels", "model", model)
        await self.create("mlconnectors", "connector", {**self.common, **self.connector})
        await self.create("mlmodelgroups", "group", {**self.common, **self.connected})
        await self.connect()

    async def create_namespace(self) -> None:
        """Create the namespace, if it is not there yet."""
        await self.kube.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})

    async def connect(self) -> None:
        """Create what the others need: the Secret and the connection."""
        await self.give_secret("first")
        connection = {"endpoints": [self.endpoint], "healthInterval": self.health}
        await self.create("opensearchconnections", "main", connection)

    async def give_secret(self, which: str) -> None:
        """Create the Secret of the connector, or give it another value."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        await self.kube.call("DELETE", f"{path}/key")
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
        await self._must("POST", path, {**body, "stringData": {"token": f"{CANARY}{which}"}})

    async def edit(self) -> None:
        """Change each object such that OpenSearch has to hear of it."""
        await self.patch("remotemodels", "model", {"spec": {"description": "Another model"}})
        await self.patch("mlconnectors", "connector", {"spec": {"parameters": {"model": "large"}}})
        await self.patch("mlmodelgroups", "group", {"spec": {"description": "Another group"}})

    async def rotate(self) -> None:
        """Give the connector another credential, and ask for it to be taken now."""
        await self.give_secret("second")
        await self.look_again("mlconnectors", "connector")

    async def prefer_redeploy(self) -> None:
        """Have the connector keep its id when it changes."""
        await self.patch("mlconnectors", "connector", {"spec": {"update": {"strategy": "Redeploy"}}})

    async def undeploy(self) -> None:
        """Undeploy the model behind everybody's back."""
        model = await self.get("remotemodels", "model")
        await self.opensearch.call("POST", f"{ML}/models/{model['status']['id']}/_undeploy")
        await self.look_again("remotemodels", "model")

    async def destroy_model(self) -> None:
        """Delete the model in OpenSearch."""
        await self.undeploy()
        model = await self.get("remotemodels", "model")
        for _ in range(20):
            status, _ = await self.opensearch.call("DELETE", f"{ML}/models/{model['status']['id']}")
            if status == 200:
                break
        await self.look_again("remotemodels", "model")

    async def add_settings(self) -> None:
        """Claim two settings of the cluster."""
        settings = {"connectionRef": {"name": "main"}, "resyncInterval": "60s"}
        await self.create("mlclustersettings", "settings", {**settings, **self._settings})

    async def delete_everything(self) -> None:
        """Ask for the deletion of all objects."""
        for plural in PLURALS:
            for body in await self.objects(plural):
                await self.kube.call("DELETE", self._path(plural, body["metadata"]["name"]))

    async def doom(self) -> None:
        """Create everything, and delete it again while it is being created."""
        await self.create_everything()
        for _ in range(1_000):
            status = (await self.get("mlconnectors", "connector")).get("status") or {}
            if status.keys() & {"pending", "id"}:
                break
            await asyncio.sleep(0.05)
        await self.delete_everything()

    async def delete(self, plural: str, name: str) -> None:
        """Ask for the deletion of one object."""
        await self.kube.call("DELETE", self._path(plural, name))

    async def look_again(self, plural: str, name: str) -> None:
        """Ask for a reconcile, as a person does."""
        self._generation += 1
        annotations = {_REQUEST: f"request-{self._generation}"}
        await self.patch(plural, name, {"metadata": {"annotations": annotations}})

    async def plant(self) -> None:
        """Let somebody else have objects in OpenSearch too."""
        await self.plant_group("foreign")
        await self.plant_connector("foreign")

    async def plant_group(self, which: str, description: str = NOBODYS) -> str:
        """Register a group that is nobody's here; return its id."""
        body = {"name": f"{self.namespace} {which}", "description": description}
        return await self._plant("model_groups", "_register", body)

    async def plant_connector(self, which: str, description: str = NOBODYS) -> str:
        """Create a connector that is nobody's here, with the content that ours have; return its id."""
        action = {
            "action_type": "predict",
            "method": "POST",
            "url": self.model_url,
            "headers": {"Authorization": "Bearer ${credential.token}"},
            "request_body": '{"input": ${parameters.input}}',
        }
        body = {
            "name": f"{self.namespace} {which}",
            "description": description,
            "version": "1",
            "protocol": "http",
            "parameters": {"model": "small"},
            "credential": {"token": "theirs"},
            "actions": [action],
        }
        return await self._plant("connectors", "_create", body)

    async def plant_model(self, which: str, *, group: str, connector: str, description: str = NOBODYS) -> str:
        """Register a model that is nobody's here; return its id."""
        body = {
            "name": f"{self.namespace} {which}",
            "description": description,
            "function_name": "remote",
            "model_group_id": group,
            "connector_id": connector,
        }
        return await self._plant("models", "_register", body)

    async def uproot(self) -> None:
        """Remove all that was planted or retained, models first."""
        for kind in reversed(REMOTE_KINDS):
            for id_ in (await self.remote())[kind]:
                if kind == "models":
                    await self.opensearch.call("POST", f"{ML}/models/{id_}/_undeploy")
                await self.opensearch.call("DELETE", f"{ML}/{kind}/{id_}")

    # What users see

    async def objects(self, plural: str) -> list[Doc]:
        """Return all objects of a kind."""
        _, found = await self.kube.call("GET", self._path(plural))
        items: list[Doc] = found.get("items", [])
        return items

    async def get(self, plural: str, name: str) -> Doc:
        """Return an object that is there."""
        found: Doc = await self._must("GET", self._path(plural, name))
        return found

    async def everything(self) -> dict[str, Doc]:
        """Return all of our objects, by plural and name."""
        return {
            f"{plural}/{body['metadata']['name']}": body
            for plural in PLURALS
            for body in await self.objects(plural)
        }

    async def remote(self) -> dict[str, dict[str, Doc]]:
        """Return what OpenSearch holds of this namespace, by kind and id, foreign objects included."""
        found = {}
        for kind in REMOTE_KINDS:
            body = {"query": {"match_all": {}}, "size": 1000}
            _, answer = await self.opensearch.call("POST", f"{ML}/{kind}/_search", body)
            hits = answer.get("hits", {}).get("hits", [])
            found[kind] = {
                hit["_id"]: hit["_source"]
                for hit in hits
                if hit["_source"].get("name", "").startswith(f"{self.namespace} ")
            }
        return found

    async def left(self) -> set[str]:
        """Return the ids of orphans that were named for deletion and are still there."""
        planted = set().union(*self.foreign.values())
        return (self.condemned - planted) & set().union(*(await self.remote()).values())

    async def exports(self) -> list[Doc]:
        """Return the ConfigMaps and Secrets that belong to an object: kind, name, data, owner."""
        found = []
        for plural, kind in (("configmaps", "ConfigMap"), ("secrets", "Secret")):
            _, answer = await self.kube.call("GET", f"/api/v1/namespaces/{self.namespace}/{plural}")
            for body in answer.get("items", []):
                metadata, data = body["metadata"], dict(body.get("data") or {})
                if kind == "Secret":
                    data = {key: base64.b64decode(value).decode() for key, value in data.items()}
                for owner in metadata.get("ownerReferences", ()):
                    place = {"kind": kind, "name": metadata["name"], "data": data, "owner": owner["uid"]}
                    found.append(place)
        return found

    async def settings(self) -> Doc:
        """Return the persistent settings of the cluster."""
        _, answer = await self.opensearch.call("GET", "/_cluster/settings?flat_settings=true")
        settings: Doc = answer.get("persistent", {})
        return settings

    @property
    def connected(self) -> Doc:
        return {"connectionRef": {"name": "main"}, "name": f"{self.namespace} ours"}

    @property
    def common(self) -> Doc:
        return {"resyncInterval": self.resync, "name": f"{self.namespace} ours"}

    @property
    def connector(self) -> Doc:
        action = {
            "type": "predict",
            "method": "POST",
            "url": self.model_url,
            "headers": {"Authorization": "Bearer ${credential.token}"},
            "requestBody": '{"input": ${parameters.input}}',
        }
        return {
            **self.connected,
            "credentials": [{"name": "token", "secretKeyRef": {"name": "key", "key": "token"}}],
            "actions": [action],
            "parameters": {"model": "small"},
            "update": {"keepOldFor": "5s"},
        }

    @property
    def _settings(self) -> Doc:
        name = "plugins.ml_commons.max_register_model_tasks_per_node"
        return {"settings": {name: 9}, "trustedEndpoints": {"add": ["^https://models[.]example/.*$"]}}

    async def create(self, plural: str, name: str, spec: Mapping[str, Any]) -> None:
        body = {"apiVersion": API_VERSION, "kind": _KINDS[plural], "metadata": {"name": name}, "spec": spec}
        await self._must("POST", self._path(plural), body)

    async def patch(self, plural: str, name: str, change: Mapping[str, Any]) -> None:
        await self._must("PATCH", self._path(plural, name), change, _MERGE)

    async def _plant(self, kind: str, call: str, body: Doc) -> str:
        made: Doc = {}
        for number in range(_TRIES):
            status, made = await self.opensearch.call("POST", f"{ML}/{kind}/{call}", body)
            id_ = str(made.get(_IDS[kind]))
            if status == 200 and ("-" not in id_ or number > _HYPHENS):
                self.foreign[kind].add(id_)
                return id_
            if status == 200:  # with one in it OpenSearch takes the models of others for its users
                await self.opensearch.call("DELETE", f"{ML}/{kind}/{id_}")
                continue
            assert "limit" in str(made), made  # OpenSearch registers ten models at once
            await asyncio.sleep(0.5)
        raise AssertionError(f"OpenSearch does not get round to what is planted: {made}")

    async def _must(self, method: str, path: str, body: Any = None, kind: tuple[str, str] = _JSON) -> Any:
        status, found = await self.kube.call(method, path, body, kind)
        assert status < 300, found
        return found

    def _path(self, plural: str, name: str = "") -> str:
        return f"/apis/{API_VERSION}/namespaces/{self.namespace}/{plural}/{name}".rstrip("/")


def is_ready(body: Mapping[str, Any]) -> bool:
    """Whether an object, as it is now, is Ready and has nothing left to do."""
    status = body.get("status") or {}
    ready: Doc = next((each for each in status.get("conditions", ()) if each["type"] == "Ready"), {})
    current = ready.get("observedGeneration") == body["metadata"]["generation"]
    asked = (body["metadata"].get("annotations") or {}).get(_REQUEST)
    current = current and asked == status.get("lastHandledReconcileAt")
    unclear = "pending" in status or "unclearSince" in status
    swapping = any(status.get(each) for each in ("previous", "candidate", "trial"))
    moving = unclear or (body["kind"] == "MLConnector" and swapping)
    return ready.get("status") == "True" and current and not moving
