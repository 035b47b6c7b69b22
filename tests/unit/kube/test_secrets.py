from __future__ import annotations

import asyncio
import base64

import pytest

from opensearch_ml_operator.errors import KubernetesForbiddenError, KubernetesUnavailableError
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.secrets import KubeSecretSource
from support.eventually import eventually
from support.fake_kube import FakeKube, Fault
from support.memory_clock import Clock


@pytest.fixture
def source(client: KubeClient) -> KubeSecretSource:
    return KubeSecretSource(client)


async def test_secret(source: KubeSecretSource, kube: FakeKube) -> None:
    kube.create(
        "secrets", {"metadata": {"name": "key"}, "data": {"a": base64.b64encode(b"\xff\x00").decode()}}
    )
    secret = await source.secret("default", "key")
    assert secret is not None
    assert secret.data == {"a": b"\xff\x00"}
    assert kube.counts == {("get", "secrets", ""): 1}


async def test_who_asks_for_a_secret_that_is_being_read_shares_the_next_reading(
    source: KubeSecretSource, kube: FakeKube
) -> None:
    kube.create("secrets", {"metadata": {"name": "key"}, "stringData": {"a": "old"}})
    kube.create("secrets", {"metadata": {"name": "other"}})
    kube.fail(Fault(verb="get", resource="secrets", delay=0.1))
    first = asyncio.create_task(source.secret("default", "key"))
    await eventually(lambda: kube.counts["get", "secrets", ""] == 1)
    kube.patch("secrets", "key", {"data": {"a": base64.b64encode(b"new").decode()}})
    kube.reset_counts()
    readings = await asyncio.gather(*(source.secret("default", "key") for _ in range(20)))
    assert {each.data["a"] for each in readings if each is not None} == {b"new"}
    assert len(readings) == 20
    assert kube.counts["get", "secrets", ""] == 1
    await first
    assert await source.secret("default", "other") is not None
    assert await source.secret("default", "key") == readings[0]
    assert kube.counts["get", "secrets", ""] == 3


async def test_config_map_of_text_and_bytes(source: KubeSecretSource, kube: FakeKube) -> None:
    binary = {"b": base64.b64encode(b"\xff").decode()}
    kube.create("configmaps", {"metadata": {"name": "ca"}, "data": {"a": "ä"}, "binaryData": binary})
    config_map = await source.config_map("default", "ca")
    assert config_map is not None
    assert config_map.data == {"a": "ä".encode(), "b": b"\xff"}


@pytest.mark.parametrize("plural", ["secrets", "configmaps"])
async def test_without_data(source: KubeSecretSource, kube: FakeKube, plural: str) -> None:
    kube.create(plural, {"metadata": {"name": "empty"}})
    read = source.secret if plural == "secrets" else source.config_map
    found = await read("default", "empty")
    assert found is not None
    assert found.data == {}
    assert await read("default", "missing") is None
    assert await read("elsewhere", "empty") is None


async def test_revision_is_new_after_a_change_and_after_a_new_creation(
    source: KubeSecretSource, kube: FakeKube
) -> None:
    async def revision() -> str:
        secret = await source.secret("default", "key")
        assert secret is not None
        return secret.revision

    body = kube.create("secrets", {"metadata": {"name": "key"}, "stringData": {"a": "x"}})
    first = await revision()
    assert body["metadata"]["uid"] in first, "after a restored backup versions can come again"
    assert await revision() == first
    kube.patch("secrets", "key", {"data": {"a": "eQ=="}})
    second = await revision()
    kube.delete("secrets", "key")
    kube.create("secrets", {"metadata": {"name": "key"}, "stringData": {"a": "x"}})
    assert len({first, second, await revision()}) == 3


async def test_unknown_is_not_missing(source: KubeSecretSource, kube: FakeKube) -> None:
    kube.fail(Fault(status=503))
    with pytest.raises(KubernetesUnavailableError):
        await source.secret("default", "key")
    kube.fail(Fault(status=403))
    with pytest.raises(KubernetesForbiddenError):
        await source.config_map("default", "ca")


async def test_a_revision_is_read_once_for_many_who_ask(client: KubeClient, kube: FakeKube) -> None:
    clock = Clock()
    source = KubeSecretSource(client, clock=clock.monotonic)
    kube.create("secrets", {"metadata": {"name": "key"}, "stringData": {"a": "x"}})
    secret = await source.secret("default", "key")
    assert secret is not None
    assert [await source.revision("default", "key", max_age=60) for _ in range(3)] == [secret.revision] * 3
    assert kube.counts == {("get", "secrets", ""): 2}

    kube.patch("secrets", "key", {"data": {"a": "eQ=="}})
    clock.seconds += 61
    assert await source.revision("default", "key", max_age=60) != secret.revision
    kube.delete("secrets", "key")
    clock.seconds += 61
    assert await source.revision("default", "key", max_age=60) is None
