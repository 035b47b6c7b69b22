"""What the operator relies on in an API server, as tests for the fake and for the real one alike.

Fixtures of the subclass's module: `client` (an administrator's KubeClient) and `namespace` (an empty one).
"""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.constants import FINALIZER
from opensearch_ml_operator.errors import (
    KubernetesUnavailableError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)
from opensearch_ml_operator.kube import client
from opensearch_ml_operator.kube.client import MERGE_PATCH, KubeClient
from opensearch_ml_operator.kube.ghosts import count, list_keys
from opensearch_ml_operator.kube.status import KubeStatusStore
from opensearch_ml_operator.kube.targets import EVENTS, METADATA_LIST, Resource, Target, ours
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot

JSON_PATCH = "application/json-patch+json"
MODELS = ours("remotemodels")
Body = dict[str, Any]


class Models:
    """The models of one namespace, as kubectl or another controller would handle them."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.store = KubeStatusStore(client, {"RemoteModel": "remotemodels"})

    def target(self, name: str | None = "m", subresource: str | None = None) -> Target:
        return Target(MODELS, self.namespace, name, subresource)

    async def create(self, name: str = "m", **more: Any) -> Body:
        body = {
            "apiVersion": "opensearchml.io/v1alpha1",
            "kind": "RemoteModel",
            "metadata": {"name": name, **more.pop("metadata", {})},
            "spec": {"connectorRef": {"name": "c"}},
            **more,
        }
        return await self.client.request("POST", self.target(None), body)

    async def patch(self, patch: Any, *, subresource: str | None = None, kind: str = MERGE_PATCH) -> Body:
        return await self.client.request("PATCH", self.target("m", subresource), patch, content_type=kind)

    async def get(self) -> Body | None:
        return await self.client.read(self.target())

    async def delete(self) -> None:
        await self.client.request("DELETE", self.target())


@pytest.fixture
def models(client: KubeClient, namespace: str) -> Models:
    return Models(client, namespace)


def version(body: Body) -> str:
    return str(body["metadata"]["resourceVersion"])


class KubeContract:
    """Each test is one sentence about API servers."""

    async def test_a_status_is_written_only_through_its_subresource(self, models: Models) -> None:
        body = await models.create(status={"id": "abc"})
        assert body["status"] == {"observedGeneration": -1}
        body = await models.patch({"status": {"id": "abc"}})
        assert body["status"] == {"observedGeneration": -1}
        body = await models.patch(
            {"status": {"id": "abc"}, "spec": {"description": "x"}}, subresource="status"
        )
        assert body["status"] == {"observedGeneration": -1, "id": "abc"}
        assert "description" not in body["spec"]

    async def test_metadata_is_not_written_through_the_status(self, models: Models) -> None:
        await models.create()
        patch = {"metadata": {"labels": {"a": "b"}, "finalizers": [FINALIZER]}, "status": {"id": "abc"}}
        body = await models.patch(patch, subresource="status")
        assert not body["metadata"].keys() & {"labels", "finalizers"}

    async def test_an_old_version_is_a_conflict_even_for_an_equal_status(self, models: Models) -> None:
        body = await models.create()
        await models.patch({"metadata": {"annotations": {"a": "b"}}})
        patch = {"metadata": {"resourceVersion": version(body)}, "status": body["status"]}
        with pytest.raises(StatusConflictError):
            await models.patch(patch, subresource="status")

    async def test_the_version_of_a_namesake_is_a_conflict(self, models: Models) -> None:
        body = await models.create()
        await models.delete()
        await models.create()
        patch = {"metadata": {"resourceVersion": version(body)}, "status": {"id": "abc"}}
        with pytest.raises(StatusConflictError):
            await models.patch(patch, subresource="status")

    async def test_a_wrong_uid_is_no_fence_for_the_status(self, models: Models) -> None:
        await models.create()
        uid = "00000000-0000-0000-0000-000000000000"
        body = await models.patch({"metadata": {"uid": uid}, "status": {"id": "abc"}}, subresource="status")
        assert body["status"]["id"] == "abc"
        assert body["metadata"]["uid"] != uid

    async def test_a_write_that_changes_nothing_makes_no_version(self, models: Models) -> None:
        await models.create()
        body = await models.patch({"status": {"id": "abc"}}, subresource="status")
        assert await models.patch({"status": {"id": "abc"}}, subresource="status") == body
        assert await models.patch({"spec": {"connectorRef": {"name": "c"}}}) == body

    async def test_null_removes_a_field(self, models: Models) -> None:
        await models.create()
        body = await models.patch({"status": {"observedGeneration": None}}, subresource="status")
        assert body["status"] == {}
        body = await models.patch({"status": {"workers": {"planned": 2, "current": 1}}}, subresource="status")
        body = await models.patch({"status": {"workers": {"planned": None}}}, subresource="status")
        assert body["status"] == {"workers": {"current": 1}}
        body = await models.patch({"status": None}, subresource="status")
        assert body["status"] == {"observedGeneration": -1}, "the default of a status that is not there"

    async def test_only_the_spec_moves_the_generation(self, models: Models) -> None:
        await models.create()
        body = await models.patch({"metadata": {"annotations": {"a": "b"}}})
        assert body["metadata"]["generation"] == 1
        body = await models.patch({"status": {"id": "abc"}}, subresource="status")
        assert body["metadata"]["generation"] == 1
        body = await models.patch({"spec": {"description": "x"}})
        assert body["metadata"]["generation"] == 2

    async def test_a_json_patch_whose_test_fails_is_refused(self, models: Models) -> None:
        body = await models.create()
        await models.patch({"metadata": {"annotations": {"a": "b"}}})
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version(body)},
            {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]},
        ]
        with pytest.raises(OperatorError, match="422 Invalid"):
            await models.patch(patch, kind=JSON_PATCH)

    async def test_life_with_a_finalizer(self, models: Models) -> None:
        await models.create(metadata={"finalizers": [FINALIZER]})
        await models.delete()
        body = await models.get()
        assert body is not None
        assert body["metadata"]["deletionTimestamp"]
        assert body["metadata"]["generation"] == 2
        with pytest.raises(OperatorError, match="422 Invalid"):
            await models.patch({"metadata": {"finalizers": [FINALIZER, "example.org/other"]}})
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version(body)},
            {"op": "remove", "path": "/metadata/finalizers"},
        ]
        await models.patch(patch, kind=JSON_PATCH)
        assert await models.get() is None

    async def test_deletion_can_ask_for_the_right_uid(self, models: Models) -> None:
        await models.create()
        options = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
        with pytest.raises(StatusConflictError):
            await models.client.request("DELETE", models.target(), options)
        assert await models.get() is not None

    async def test_what_does_not_exist(self, models: Models) -> None:
        assert await models.get() is None
        with pytest.raises(ObjectGoneError):
            await models.patch({"status": {"id": "abc"}}, subresource="status")
        with pytest.raises(ObjectGoneError):
            await models.delete()
        with pytest.raises(ObjectGoneError):
            await Models(models.client, "no-such-namespace").create()
        with pytest.raises(KubernetesUnavailableError, match="answered 404"):
            await models.client.read(Target(Resource("example.org", "v1", "things"), models.namespace, "x"))

    async def test_names_are_taken_once(self, models: Models) -> None:
        await models.create()
        with pytest.raises(StatusConflictError):
            await models.create()

    async def test_a_status_of_the_wrong_type_is_refused_by_its_field(self, models: Models) -> None:
        await models.create()
        with pytest.raises(OperatorError, match=r"422 Invalid: status\.workers\.planned"):
            await models.patch({"status": {"workers": {"planned": "hunter2"}}}, subresource="status")

    async def test_pages_show_the_objects_as_they_were(self, models: Models) -> None:
        for number in range(4):
            await models.create(f"m{number}")
        first = await models.client.request("GET", models.target(None), query={"limit": "2"})
        await models.create("m9")
        query = {"limit": "2", "continue": first["metadata"]["continue"]}
        second = await models.client.request("GET", models.target(None), query=query)
        assert version(first) == version(second)
        assert not second["metadata"].get("continue")
        names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
        assert names == ["m0", "m1", "m2", "m3"]

    async def test_keys_are_listed_without_the_objects(
        self, models: Models, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await list_keys(models.client, "RemoteModel", "remotemodels", [models.namespace]) == set()
        monkeypatch.setattr(client, "PAGE", 2)
        made = {(await models.create(f"m{number}"))["metadata"]["uid"] for number in range(5)}
        found = await list_keys(models.client, "RemoteModel", "remotemodels", [models.namespace])
        assert {uid for _, uid in found} == made
        assert await count(models.client, "remotemodels", [models.namespace]) == len(made)
        assert await count(models.client, "remotemodels", [models.namespace, "empty"]) == len(made)
        assert await count(models.client, "remotemodels", ["empty"]) == 0
        everywhere = await list_keys(models.client, "RemoteModel", "remotemodels")
        assert everywhere >= found
        page = await models.client.request("GET", models.target(None), accept=METADATA_LIST)
        assert page["kind"] == "PartialObjectMetadataList"
        assert not any("spec" in item or "status" in item for item in page["items"])

    async def test_status_store(self, models: Models) -> None:
        snapshot = Snapshot.parse("RemoteModel", await models.create())
        key = ObjectKey("RemoteModel", models.namespace, "m")
        assert await models.store.read(key) == snapshot
        status = {"observedGeneration": 1, "id": "abc", "workers": {"planned": 2, "current": 1}}
        written = await models.store.write(snapshot, status)
        assert written.status == status
        assert written == await models.store.read(key)
        with pytest.raises(StatusConflictError):
            await models.store.write(snapshot, {"id": "other"})
        less = {"observedGeneration": 1, "workers": {"planned": 2}}
        assert (await models.store.write(written, less)).status == less

    async def test_events_belong_to_an_existing_namespace(self, models: Models) -> None:
        event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "no-such-namespace"}}
        with pytest.raises(ObjectGoneError):
            await models.client.request("POST", Target(EVENTS, "no-such-namespace"), event)
