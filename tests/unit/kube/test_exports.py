from __future__ import annotations

import base64
from typing import Any

import pytest

from opensearch_ml_operator.errors import KubernetesForbiddenError, ObjectGoneError, StatusConflictError
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.exports import KubeExports
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from support.fake_kube import FakeKube, Fault

PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}
OWNER = Snapshot(
    ObjectKey("RemoteModel", "default", "m"), "uid-of-m", "1", 1, "", deleting=False, finalizer=True
)

pytestmark = pytest.mark.parametrize("kind", PLURALS)


@pytest.fixture
def exports(client: KubeClient) -> KubeExports:
    return KubeExports(client)


def text(kube: FakeKube, kind: str, key: str) -> str | None:
    body: dict[str, Any] | None = kube.get(PLURALS[kind], "ids")
    assert body is not None
    value = body["data"].get(key)
    return base64.b64decode(value).decode() if value is not None and kind == "Secret" else value


async def test_created_for_its_owner(exports: KubeExports, kube: FakeKube, kind: str) -> None:
    await exports.create(kind, "ids", owner=OWNER, data={"model_id": "abc"})
    body = kube.get(PLURALS[kind], "ids")
    assert body is not None
    (reference,) = body["metadata"]["ownerReferences"]
    assert reference == {
        "apiVersion": "opensearchml.io/v1alpha1",
        "kind": "RemoteModel",
        "name": "m",
        "uid": "uid-of-m",
        "controller": True,
    }
    assert body["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "opensearch-ml-operator"}
    found = await exports.read(kind, "default", "ids")
    assert found is not None
    assert ([owner.uid for owner in found.owners], found.data) == (["uid-of-m"], {"model_id": "abc"})
    with pytest.raises(StatusConflictError):
        await exports.create(kind, "ids", owner=OWNER, data={"model_id": "other"})
    assert text(kube, kind, "model_id") == "abc"


async def test_changed_only_as_it_was_read(exports: KubeExports, kube: FakeKube, kind: str) -> None:
    await exports.create(kind, "ids", owner=OWNER, data={"model_id": "abc"})
    before = await exports.read(kind, "default", "ids")
    assert before is not None
    await exports.patch(kind, "default", "ids", before=before, data={"model_id": None, "id": "def"})
    assert (text(kube, kind, "model_id"), text(kube, kind, "id")) == (None, "def")
    with pytest.raises(StatusConflictError):
        await exports.patch(kind, "default", "ids", before=before, data={"id": "late"})
    with pytest.raises(StatusConflictError):
        await exports.delete(kind, "default", "ids", before=before)
    assert text(kube, kind, "id") == "def"


async def test_deleted(exports: KubeExports, kube: FakeKube, kind: str) -> None:
    await exports.create(kind, "ids", owner=OWNER, data={"model_id": "abc"})
    before = await exports.read(kind, "default", "ids")
    assert before is not None
    await exports.delete(kind, "default", "ids", before=before)
    assert kube.get(PLURALS[kind], "ids") is None
    assert await exports.read(kind, "default", "ids") is None
    with pytest.raises(ObjectGoneError):
        await exports.delete(kind, "default", "ids", before=before)


async def test_somebody_elses_has_no_owner(exports: KubeExports, kube: FakeKube, kind: str) -> None:
    kube.create(PLURALS[kind], {"metadata": {"name": "ids"}})
    found = await exports.read(kind, "default", "ids")
    assert found is not None
    assert (found.owners, found.data) == ((), {})


async def test_a_refusal_names_what_was_asked(exports: KubeExports, kube: FakeKube, kind: str) -> None:
    kube.fail(Fault(status=403))
    with pytest.raises(KubernetesForbiddenError, match=f"create {PLURALS[kind]}"):
        await exports.create(kind, "ids", owner=OWNER, data={"model_id": "abc"})
