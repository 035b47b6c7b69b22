"""The typed calls of ML Commons: the port `MLCommons` over one transport.

Each method is one request. What a DELETE answers proves nothing: 404 is said for objects that are still there
(red index), 200 for what was never there; only a GET's 404 counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from ..coalescing import Coalescer
from ..errors import MLCode, MLError
from ..reconcilers.ports import ClusterSettings, Hit, Mentions, Registered, ServerInfo
from . import searches, server
from .identity import ClusterIdentity
from .imprint import Imprint, without
from .mentions import FRESH, MentionReader
from .observations import Observations
from .operations import Operation
from .paths import BASE, COLLECTIONS, predict, segment
from .schemas import (
    ConnectorCreated,
    DeployStarted,
    Document,
    GroupCreated,
    ModelRegistered,
    Prediction,
    Profile,
    Task,
    read,
)
from .transport import Transport

_PROFILED: Final = 100
"""The most ids in one path: an HTTP line may have 4,096 bytes (`http.max_initial_line_length`)."""


class MLCommonsClient:
    """One cluster's API; raises MLError only. `observations` must read through the same transport."""

    def __init__(
        self,
        transport: Transport,
        observations: Observations,
        identity: ClusterIdentity,
        mentions: MentionReader,
        imprint: Imprint,
    ) -> None:
        self._transport = transport
        self._observations = observations
        self._identity = identity
        self._mentions = mentions
        self._imprint = imprint
        self._marked = {
            kind: Coalescer(partial(searches.marked, transport, kind), most=searches.MARKED)
            for kind in COLLECTIONS
        }
        self._profiles = Coalescer(self._profile, most=_PROFILED)

    async def server_info(self) -> ServerInfo:
        """Ask who answers and whether ML Commons is there and may be used: three requests."""
        info = await server.inspect(self._transport)
        self._identity.learn(info.cluster_uuid)
        return info

    async def read_settings(self) -> ClusterSettings:
        """Read the settings of ML Commons in all layers; none that is not set and has no default."""
        return await server.settings(self._transport)

    async def update_settings(self, changes: Mapping[str, Any]) -> None:
        """Set persistent settings; the server takes all of them or, with REJECTED, none.

        Raises MLError AMBIGUOUS without sending anything when another cluster answers than the one meant.
        """
        await self._identity.confirm()
        path = "/_cluster/settings?flat_settings=true"
        await self._transport.call(Operation.UPDATE_SETTINGS, "PUT", path, {"persistent": dict(changes)})

    async def create_connector(self, body: Mapping[str, Any]) -> str:
        """Create a connector and return its id (TransportCreateConnectorAction)."""
        operation = Operation.CREATE_CONNECTOR
        answer = await self._transport.call(
            operation, "POST", f"{BASE}/connectors/_create", self._imprint.add(body)
        )
        connector_id = read(ConnectorCreated, answer, doing=operation).connector_id
        self._observations.expect("connector", connector_id)
        return connector_id

    async def get_connector(self, connector_id: str) -> Hit | None:
        """Read a connector, never with its credential; None when the server says that there is none."""
        return await self._get("connector", connector_id)

    async def update_connector(self, connector_id: str, body: Mapping[str, Any]) -> None:
        """Change a connector in place; IN_USE while a model that is loaded uses it, or seems to.

        Parameters and credentials are merged, actions and client_config replaced
        (UpdateConnectorTransportAction).
        """
        await self._update("connector", connector_id, Operation.UPDATE_CONNECTOR, body)

    async def delete_connector(self, connector_id: str) -> None:
        """Ask for deletion; IN_USE may be a stranger's fault, its ids are to be compared one by one."""
        await self._delete("connector", connector_id, Operation.DELETE_CONNECTOR)

    async def create_group(self, body: Mapping[str, Any]) -> str:
        """Register a model group and return its id; NAME_TAKEN carries the id of who has the name."""
        operation = Operation.CREATE_GROUP
        answer = await self._transport.call(
            operation, "POST", f"{BASE}/model_groups/_register", self._imprint.add(body)
        )
        group_id = read(GroupCreated, answer, doing=operation).model_group_id
        self._observations.expect("group", group_id)
        return group_id

    async def get_group(self, group_id: str) -> Hit | None:
        """Read a model group; None when the server says that there is none."""
        return await self._get("group", group_id)

    async def update_group(self, group_id: str, body: Mapping[str, Any]) -> None:
        """Change a model group in place; an empty description is ignored by the server."""
        await self._update("group", group_id, Operation.UPDATE_GROUP, body)

    async def delete_group(self, group_id: str) -> None:
        """Ask for deletion; IN_USE while models are in the group."""
        await self._delete("group", group_id, Operation.DELETE_GROUP)

    async def register_model(self, body: Mapping[str, Any]) -> Registered:
        """Register a remote model; synchronous for remote models since 2.11 (MLModelManager)."""
        operation = Operation.REGISTER_MODEL
        answer = await self._transport.call(
            operation, "POST", f"{BASE}/models/_register", self._imprint.add(body)
        )
        registered = read(ModelRegistered, answer, doing=operation)
        self._observations.expect("model", registered.model_id)
        return Registered(model_id=registered.model_id, task_id=registered.task_id)

    async def get_model(self, model_id: str) -> Hit | None:
        """Read a model; None when the server says that there is none."""
        return await self._get("model", model_id)

    async def update_model(self, model_id: str, body: Mapping[str, Any]) -> None:
        """Change a model in place; the server does not check that a new `connector_id` exists."""
        await self._update("model", model_id, Operation.UPDATE_MODEL, body)

    async def delete_model(self, model_id: str) -> None:
        """Ask for deletion; BUSY while the model is deployed or deploying."""
        await self._delete("model", model_id, Operation.DELETE_MODEL)

    async def deploy_model(self, model_id: str) -> str:
        """Ask for deployment and return the task id; an AMBIGUOUS 429 may still deploy."""
        operation = Operation.DEPLOY_MODEL
        with self._writing("model", model_id):
            path = f"{COLLECTIONS['model'].item(model_id)}/_deploy"
            answer = await self._transport.call(operation, "POST", path)
        return read(DeployStarted, answer, doing=operation).task_id

    async def undeploy_model(self, model_id: str) -> None:
        """Ask for undeployment; takes 2 s on 3.6 for a model that has served, and does not always stick."""
        with self._writing("model", model_id):
            path = f"{COLLECTIONS['model'].item(model_id)}/_undeploy"
            await self._transport.call(Operation.UNDEPLOY_MODEL, "POST", path)

    async def loaded_nodes(self, model_id: str) -> int:
        """Count the nodes that have a predictor for the model; what a failed deploy leaves is none."""
        segment(model_id)  # refused alone, before it spoils the request of others
        model = (await self._profiles.ask(model_id)).models.get(model_id)
        return sum(node.predictor is not None for node in model.nodes.values()) if model else 0

    async def predict(self, model_id: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the model once. PROVIDER_FAILED is its provider's word, also 401 and 403.

        On 3.6 there is no answer when the provider's status is none that OpenSearch knows: a time-out.
        """
        path = predict(model_id, request)
        answer = await self._transport.call(Operation.PREDICT, "POST", path, request)
        read(Prediction, answer, doing=Operation.PREDICT)
        return dict(answer)

    async def get_task(self, task_id: str) -> Mapping[str, Any] | None:
        """Read a task; None when it is not there. One of a node that died stays as it was for ever."""
        try:
            answer = await self._transport.call(Operation.GET_TASK, "GET", f"{BASE}/tasks/{segment(task_id)}")
        except MLError as error:
            if error.code is MLCode.NOT_FOUND:
                return None
            raise
        read(Task, answer, doing=Operation.GET_TASK)
        return dict(answer)

    async def search_marker(self, kind: str, marker: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` whose description holds exactly this marker; at most 100.

        Raises MLError AMBIGUOUS when there is none, but another cluster than the one meant has said so.
        """
        return await self._search_marked(kind, searches.marker(marker))

    async def search_markers(self, kind: str, stem: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` with a marker that is `stem` and a number; at most 100.

        Raises MLError AMBIGUOUS when there is none, but another cluster than the one meant has said so.
        """
        return await self._search_marked(kind, searches.markers(stem))

    async def search_imprint(self, kind: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` with the mark of this connection; nothing when it has none."""
        if not self._imprint.word:
            return ()
        found = await searches.by_imprint(self._transport, kind, self._imprint.word)
        return tuple(Hit(hit.id, without(hit.source)) for hit in found if self._imprint.is_in(hit.source))

    async def search_users(self, kind: str, object_id: str) -> tuple[Hit, ...]:
        """Find the models with exactly this connector, or in this group; at most 100."""
        return await searches.models_of(self._transport, kind, object_id)

    async def mentions(self, object_id: str, *, max_age: float = FRESH) -> Mentions:
        """Find out which pipelines and agents name a model or a connector: three requests, or none."""
        return await self._mentions.of(object_id, max_age=max_age)

    async def search_name(self, kind: str, name: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` that have this very name; on 2.x as of a second ago.

        Raises MLError AMBIGUOUS when there is none, but another cluster than the one meant has said so.
        """
        found = await searches.by_name(self._transport, kind, name)
        if not found:
            await self._identity.confirm()
        return found

    async def observe(self, kind: str, object_id: str, *, max_age: float) -> Hit | None:
        """Read through the batch; on 2.19 a write by someone else may be seen a second later."""
        return await self._observations.observe(kind, object_id, max_age=max_age)

    def expect(self, kind: str, object_id: str) -> None:
        """Read this object with the next batch, because somebody will ask for it soon."""
        self._observations.expect(kind, object_id)

    def forget(self, kind: str, object_id: str) -> None:
        """Stop reading this object in batches."""
        self._observations.forget(kind, object_id)

    async def _search_marked(self, kind: str, wanted: searches.Marked) -> tuple[Hit, ...]:
        found = [hit for hit in await self._marked[kind].ask(wanted) if wanted.is_in(hit)]
        if not found:
            await self._identity.confirm()
        return tuple(Hit(hit.id, without(hit.source)) for hit in found)

    async def _profile(self, model_ids: Sequence[str]) -> Profile:
        """Read what the nodes hold of some models (RestMLProfileAction takes ids with commas between)."""
        operation = Operation.PROFILE_MODEL
        path = f"{BASE}/profile/models/{','.join(model_ids)}?view=model"
        return read(Profile, await self._transport.call(operation, "GET", path), doing=operation)

    async def _update(self, kind: str, object_id: str, operation: Operation, body: Mapping[str, Any]) -> None:
        with self._writing(kind, object_id):
            path = COLLECTIONS[kind].item(object_id)
            await self._transport.call(operation, "PUT", path, self._imprint.add(body))

    async def _get(self, kind: str, object_id: str) -> Hit | None:
        hit = await get(self._transport, self._identity, kind, object_id)
        if hit is None:
            self._observations.forget(kind, object_id)
        return hit

    async def _delete(self, kind: str, object_id: str, operation: Operation) -> None:
        with self._writing(kind, object_id):
            try:
                await self._transport.call(operation, "DELETE", COLLECTIONS[kind].item(object_id))
            except MLError as error:
                if error.code is not MLCode.NOT_FOUND:
                    raise

    @contextmanager
    def _writing(self, kind: str, object_id: str) -> Iterator[None]:
        """Whatever comes of the write, what was read before its end says nothing any more."""
        try:
            yield
        finally:
            self._observations.invalidate(kind, object_id)


async def get(transport: Transport, identity: ClusterIdentity, kind: str, object_id: str) -> Hit | None:
    """Read one object by id, always current; None when the very cluster that is meant says so."""
    collection = COLLECTIONS[kind]
    try:
        answer = await transport.call(collection.get, "GET", collection.item(object_id))
    except MLError as error:
        if error.code is MLCode.NOT_FOUND:
            await identity.confirm()
            return None
        if kind == "group" and error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return await _search_group(transport, identity, object_id)
        raise
    read(Document, answer, doing=collection.get)
    return Hit(object_id, without(answer))


async def _search_group(transport: Transport, identity: ClusterIdentity, object_id: str) -> Hit | None:
    """Read a group where there is no GET for it, before 2.12 (RestMLGetModelGroupAction)."""
    found = (await searches.by_ids(transport, "group", [object_id])).get(object_id)
    if found is None:
        await identity.confirm()
    return found
