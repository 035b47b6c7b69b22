from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensearch_ml_operator.errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    ObjectGoneError,
    StatusConflictError,
)
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.kube.targets import SECRETS, Target
from support.eventually import eventually
from support.fake_kube import FakeKube, Fault

SECRET = Target(SECRETS, "default", "key")
ALL = Target(SECRETS, "default")


@pytest.fixture
def secret(kube: FakeKube) -> dict[str, object]:
    return kube.create("secrets", {"metadata": {"name": "key"}, "stringData": {"password": "x"}})


async def test_a_missing_object_is_none_to_read_and_an_error_to_write(client: KubeClient) -> None:
    assert await client.read(SECRET) is None
    with pytest.raises(ObjectGoneError):
        await client.request("DELETE", SECRET)


@pytest.mark.usefixtures("secret")
async def test_name_that_exists_already(client: KubeClient) -> None:
    with pytest.raises(StatusConflictError):
        await client.request("POST", ALL, {"metadata": {"name": "key"}})


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("name", ["..", "", "../key", "../../namespaces/default"])
async def test_hostile_names_are_looked_up_nowhere_else(
    client: KubeClient, kube: FakeKube, name: str
) -> None:
    assert await client.read(Target(SECRETS, "default", name)) is None
    assert {call.resource.plural for call in kube.calls} <= {"secrets"}
    assert not [call for call in kube.calls if call.counted.verb == "list"]


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="before", times=2),
        Fault(status=500),
        Fault(status=503, body=b""),
        Fault(status=200, body=b"<html>"),
        Fault(status=200, body=b"[]"),
        Fault(status=404, body=b"404 page not found"),
    ],
)
async def test_what_says_nothing_about_the_object(client: KubeClient, kube: FakeKube, fault: Fault) -> None:
    kube.fail(fault)
    with pytest.raises(KubernetesUnavailableError):
        await client.read(SECRET)
    assert await client.read(SECRET) is not None


@pytest.mark.parametrize("fault", [Fault(cut="before"), Fault(cut="after"), Fault(status=429, retry_after=0)])
async def test_a_write_is_sent_once(client: KubeClient, kube: FakeKube, fault: Fault) -> None:
    await client.read(SECRET)  # so that there is a connection that could turn out to be broken
    kube.fail(fault)
    with pytest.raises(KubernetesUnavailableError):
        await client.request("POST", ALL, {"metadata": {"name": "key"}})
    assert kube.counts["create", "secrets", ""] == 1


async def test_time_limit(client: KubeClient, kube: FakeKube) -> None:
    kube.fail(Fault(delay=30))
    with pytest.raises(KubernetesUnavailableError, match="TimeoutError"):
        await client.request("GET", SECRET, timeout=0.05)


async def test_server_away_and_back(client: KubeClient, kube: FakeKube, secret: dict[str, object]) -> None:
    assert await client.read(SECRET) == secret
    await kube.stop()
    for _ in range(2):  # over the connection that was kept, then over a new one
        with pytest.raises(KubernetesUnavailableError, match="get secrets 'key' in namespace 'default'"):
            await client.read(SECRET)
    await kube.start()
    assert await client.read(SECRET) == secret


async def test_retry_after_is_handed_on(client: KubeClient, kube: FakeKube) -> None:
    kube.fail(Fault(status=429, retry_after=3))
    with pytest.raises(KubernetesUnavailableError) as caught:
        await client.read(SECRET)
    assert caught.value.retry_after == 3


async def test_missing_permission_names_verb_and_resource(client: KubeClient, kube: FakeKube) -> None:
    kube.fail(Fault(status=403))
    with pytest.raises(KubernetesForbiddenError, match="get secrets 'key' in namespace 'default'"):
        await client.read(SECRET)


async def test_proxies_of_the_environment_are_not_used(
    client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert await client.read(SECRET) is None


async def test_at_most_32_requests_at_once(client: KubeClient, kube: FakeKube, tmp_path: Path) -> None:
    kube.fail(Fault(verb="get", delay=60, times=-1))
    reads = [asyncio.create_task(client.read(SECRET)) for _ in range(40)]
    await eventually(lambda: kube.counts["get", "secrets", ""] >= 32)
    environ = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    async with await connect(
        environ=environ
    ) as another:  # its way is free; what was sent before is there by then
        await another.request("POST", ALL, {"metadata": {"name": "key"}})
    assert kube.counts["get", "secrets", ""] == 32
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)


class TestObserver:
    @pytest.fixture
    async def seen(self, kube: FakeKube, tmp_path: Path) -> AsyncIterator[list[tuple[str, str, int]]]:
        environ = {"KUBECONFIG": str(kube.kubeconfig(tmp_path / "kubeconfig"))}
        seen: list[tuple[str, str, int]] = []

        def observe(method: str, target: Target, status: int, seconds: float) -> None:
            assert seconds >= 0
            seen.append((method, target.resource.plural, status))

        async with await connect(environ=environ, observer=observe) as client:
            self.client = client
            yield seen

    async def test_is_told_of_answers_and_of_their_absence(
        self, seen: list[tuple[str, str, int]], kube: FakeKube
    ) -> None:
        await self.client.read(SECRET)
        kube.fail(Fault(cut="before", times=2))
        with pytest.raises(KubernetesUnavailableError):
            await self.client.read(SECRET)
        assert seen == [("GET", "secrets", 404), ("GET", "secrets", 0)]
