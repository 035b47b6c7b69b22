from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.errors import (
    KubernetesUnavailableError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.status import KubeStatusStore, merge_patch
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from support.fake_kube import FakeKube, Fault
from support.fake_kube.patches import merged

KEY = ObjectKey("RemoteModel", "default", "m")
PLURALS = {"RemoteModel": "remotemodels"}
WRITES = ("patch", "remotemodels", "status")
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Succeeded",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-11-24T00:00:00Z",
}

DOCUMENTS = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner) | st.lists(inner, max_size=2),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), DOCUMENTS)


@given(OBJECTS, OBJECTS)
def test_patch_makes_one_out_of_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = merge_patch(old, new)
    assert merged(old, patch) == new
    assert (patch == {}) == (old == new)


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {"a": {"y": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({}, {"a": None}, {}),
        ({"a": 1}, {"a": None}, {"a": None}),
    ],
)
def test_patch_is_the_least_that_must_be_sent(old: Any, new: Any, patch: Any) -> None:
    assert merge_patch(old, new) == patch


@pytest.fixture
def store(client: KubeClient) -> KubeStatusStore:
    return KubeStatusStore(client, PLURALS)


@pytest.fixture
def snapshot(kube: FakeKube) -> Snapshot:
    body = kube.create("remotemodels", {"metadata": {"name": "m"}, "spec": {"connectorID": "c"}})
    return Snapshot.parse("RemoteModel", body)


async def test_read(store: KubeStatusStore, snapshot: Snapshot) -> None:
    assert await store.read(KEY) == snapshot
    assert await store.read(ObjectKey("RemoteModel", "default", "other")) is None


async def test_write_returns_the_object_as_it_stands(store: KubeStatusStore, snapshot: Snapshot) -> None:
    written = await store.write(snapshot, {"observedGeneration": 1, "id": "abc", "conditions": [READY]})
    assert written.status == {"observedGeneration": 1, "id": "abc", "conditions": [READY]}
    assert written == await store.read(KEY)
    assert written.generation == snapshot.generation
    assert written.resource_version != snapshot.resource_version


async def test_writes_one_after_the_other(store: KubeStatusStore, snapshot: Snapshot, kube: FakeKube) -> None:
    full = {
        "observedGeneration": 1,
        "id": "abc",
        "workers": {"planned": 2, "current": 1},
        "conditions": [READY],
    }
    written = await store.write(snapshot, full)
    written = await store.write(written, {"observedGeneration": 2, "workers": {"planned": 2}})
    body = kube.get("remotemodels", "m")
    assert body is not None
    assert body["status"] == written.status == {"observedGeneration": 2, "workers": {"planned": 2}}


async def test_an_equal_status_costs_no_request(
    store: KubeStatusStore, snapshot: Snapshot, kube: FakeKube
) -> None:
    written = await store.write(snapshot, {"observedGeneration": 1, "id": "abc"})
    assert await store.write(written, {"observedGeneration": 1, "id": "abc"}) is written
    assert kube.counts[WRITES] == 1


async def test_a_change_by_somebody_else_is_a_conflict(
    store: KubeStatusStore, snapshot: Snapshot, kube: FakeKube
) -> None:
    kube.annotate("remotemodels", "m", {"team": "a"})
    with pytest.raises(StatusConflictError):
        await store.write(snapshot, {"id": "abc"})
    body = kube.get("remotemodels", "m")
    assert body is not None
    assert body["status"] == {"observedGeneration": -1}


async def test_a_namesake_is_not_written_to(
    store: KubeStatusStore, snapshot: Snapshot, kube: FakeKube
) -> None:
    kube.delete("remotemodels", "m")
    with pytest.raises(ObjectGoneError):
        await store.write(snapshot, {"id": "abc"})
    kube.create("remotemodels", {"metadata": {"name": "m"}})
    with pytest.raises(StatusConflictError):
        await store.write(snapshot, {"id": "abc"})


async def test_without_a_version_nothing_is_sent(store: KubeStatusStore, kube: FakeKube) -> None:
    with pytest.raises(StatusConflictError):
        await store.write(Snapshot(KEY, "", "", 1, "", deleting=False, finalizer=False), {"id": "abc"})
    assert not kube.calls


async def test_a_status_that_the_schema_refuses_is_a_bug_of_ours(
    store: KubeStatusStore, snapshot: Snapshot
) -> None:
    with pytest.raises(OperatorError, match=r"422 Invalid: status\.workers\.planned") as caught:
        await store.write(snapshot, {"workers": {"planned": "hunter2"}})
    assert type(caught.value) is OperatorError
    assert "hunter2" not in str(caught.value)


async def test_after_a_cut_the_effect_shows_only_to_a_new_read(
    store: KubeStatusStore, snapshot: Snapshot, kube: FakeKube
) -> None:
    kube.fail(Fault(verb="patch", cut="after"))
    with pytest.raises(KubernetesUnavailableError):
        await store.write(snapshot, {"id": "abc"})
    assert kube.counts[WRITES] == 1
    with pytest.raises(StatusConflictError):
        await store.write(snapshot, {"id": "other"})
    fresh = await store.read(KEY)
    assert fresh is not None
    assert fresh.status["id"] == "abc"
