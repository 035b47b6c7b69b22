"""The Kubernetes border on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from opensearch_ml_operator.crdgen import schema_hash
from opensearch_ml_operator.errors import KubernetesForbiddenError, KubernetesUnavailableError
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.crds import missing_or_different
from opensearch_ml_operator.kube.events import KubeEvents
from opensearch_ml_operator.kube.leases import LeaderElection, LeadershipLostError, Timing
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.kube.secrets import KubeSecretSource
from opensearch_ml_operator.kube.status import KubeStatusStore
from opensearch_ml_operator.kube.targets import LEASES, SECRETS, Target
from opensearch_ml_operator.models.kinds import KINDS
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from stack.controlplane import ControlPlane
from support.eventually import eventually
from support.kube_contract import KubeContract, Models, models

__all__ = ["models"]

CRDS = Path(__file__).parents[2] / "crds"
TIMING = Timing(duration=2.0, renew_deadline=1.4, retry=0.2)


@pytest.fixture(scope="module", autouse=True)
def installed(control_plane: ControlPlane) -> None:
    control_plane.run_kubectl("apply", "--server-side", "--filename", str(CRDS))
    control_plane.run_kubectl("wait", "--for=condition=Established", "--timeout=30s", "--filename", str(CRDS))


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    control_plane.run_kubectl("create", "namespace", name)
    yield name
    control_plane.run_kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[KubeClient]:
    async with await connect(environ={"KUBECONFIG": str(control_plane.kubeconfig)}) as connected:
        yield connected


@pytest.fixture
async def powerless(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """Return the client of a ServiceAccount without any role."""
    control_plane.run_kubectl("create", "serviceaccount", "nobody", "--namespace", namespace)
    path = control_plane.service_account_kubeconfig(namespace, "nobody", tmp_path / "nobody.kubeconfig")
    async with await connect(environ={"KUBECONFIG": str(path)}) as connected:
        yield connected


class TestReal(KubeContract):
    pass


async def test_missing_permissions_are_named(powerless: KubeClient, models: Models) -> None:
    snapshot = Snapshot.parse("RemoteModel", await models.create())
    store = KubeStatusStore(powerless, {"RemoteModel": "remotemodels"})
    place = f"'m' in namespace '{models.namespace}': the API server answered 403 Forbidden"
    with pytest.raises(KubernetesForbiddenError, match=rf"^get remotemodels \(opensearchml.io\) {place}"):
        await store.read(snapshot.key)
    with pytest.raises(
        KubernetesForbiddenError, match=rf"^patch remotemodels/status \(opensearchml.io\) {place}"
    ):
        await store.write(snapshot, {"id": "abc"})
    with pytest.raises(KubernetesForbiddenError, match=r"^get secrets 'key'"):
        await KubeSecretSource(powerless).secret(models.namespace, "key")


async def test_token_of_a_pod_is_read_anew(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    where = ("--namespace", namespace)
    control_plane.run_kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s", *where)

    def renew() -> None:
        arguments = ("create", "token", "default", *where)
        (tmp_path / "token").write_text(control_plane.run_kubectl(*arguments), "utf-8")

    renew()
    (tmp_path / "ca.crt").write_bytes(control_plane.ca_file.read_bytes())
    address = urlsplit(control_plane.url)
    environ = {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}
    async with await connect(environ=environ, service_account=tmp_path) as client:
        with pytest.raises(KubernetesForbiddenError, match="403 Forbidden"):
            await client.read(Target(SECRETS, namespace, "key"))
        (tmp_path / "token").write_text("expired", "utf-8")
        with pytest.raises(
            KubernetesForbiddenError, match="401 Unauthorized; our credentials are not accepted"
        ):
            await client.read(Target(SECRETS, namespace, "key"))
        renew()
        with pytest.raises(KubernetesForbiddenError, match="403 Forbidden"):
            await client.read(Target(SECRETS, namespace, "key"))


async def test_secrets_and_config_maps(
    control_plane: ControlPlane, client: KubeClient, namespace: str
) -> None:
    literals = ("--from-literal=username=ä", "--from-literal=password=x y", "--namespace", namespace)
    control_plane.run_kubectl("create", "secret", "generic", "key", *literals)
    control_plane.run_kubectl("create", "configmap", "ca", *literals)
    source = KubeSecretSource(client)
    for found in (await source.secret(namespace, "key"), await source.config_map(namespace, "ca")):
        assert found is not None
        assert found.data == {"username": "ä".encode(), "password": b"x y"}
    before = await source.secret(namespace, "key")
    control_plane.run_kubectl("delete", "secret", "key", "--namespace", namespace)
    assert await source.secret(namespace, "key") is None
    control_plane.run_kubectl("create", "secret", "generic", "key", *literals)
    after = await source.secret(namespace, "key")
    assert before is not None
    assert after is not None
    assert before.revision != after.revision


@pytest.mark.parametrize("name", ["..", "", "../..", "x/../key", "key?watch=true", "Ä b"])
async def test_hostile_names_find_nothing(client: KubeClient, namespace: str, name: str) -> None:
    assert await KubeSecretSource(client).secret(namespace, name) is None


async def test_events_are_seen_by_kubectl(control_plane: ControlPlane, models: Models) -> None:
    snapshot = Snapshot.parse("RemoteModel", await models.create())
    sink = KubeEvents(models.client, "pod-1")
    running = asyncio.create_task(sink.run())
    sink.post(snapshot, kind="Normal", reason="Created", message="Created model abc")
    sink.post(snapshot, kind="Warning", reason="DriftCorrected", message="ä" * 2_000)
    await sink.aclose()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert sink.dropped == 0
    described = control_plane.run_kubectl("describe", "remotemodel", "m", "--namespace", models.namespace)
    assert "Created model abc" in described
    assert "opensearch-ml-operator" in described
    arguments = ("events", "--namespace", models.namespace, "--for=remotemodel/m", "--output=json")
    events = json.loads(control_plane.run_kubectl(*arguments))["items"]
    assert {(event["type"], event["reason"]) for event in events} == {
        ("Normal", "Created"),
        ("Warning", "DriftCorrected"),
    }


async def test_our_crds_pass_the_check_and_others_do_not(client: KubeClient) -> None:
    assert await missing_or_different(client, {info.plural: schema_hash(info.kind) for info in KINDS}) == []
    problems = await missing_or_different(client, {KINDS[0].plural: "other", "mlagents": "x"})
    assert "is of another release of the operator" in problems[0]
    assert problems[1].startswith("CRD mlagents.opensearchml.io is not installed")


class Candidate:
    """One process that wants to lead."""

    def __init__(self, client: KubeClient, namespace: str, identity: str) -> None:
        self.election = LeaderElection(
            client, namespace=namespace, name="operator", identity=identity, timing=TIMING
        )
        self.leads = False
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self.election.acquire()
        self.leads = True
        await self.election.hold()

    def lost(self) -> bool:
        return self._task.done() and isinstance(self._task.exception(), LeadershipLostError)

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def holder(client: KubeClient, namespace: str) -> Any:
    body = await client.read(Target(LEASES, namespace, "operator"))
    return body and (body["spec"]["holderIdentity"], body["spec"]["leaseTransitions"])


async def test_lease_is_taken_over_after_a_death_and_at_once_after_a_release(
    client: KubeClient, namespace: str
) -> None:
    clock = asyncio.get_running_loop().time
    a = Candidate(client, namespace, "a")
    await eventually(lambda: a.leads)
    b = Candidate(client, namespace, "b")
    died = clock()
    await a.die()
    await eventually(lambda: b.leads)
    assert clock() - died >= TIMING.duration - TIMING.retry - 0.1
    assert await holder(client, namespace) == ("b", 1)
    c = Candidate(client, namespace, "c")
    await b.die()
    await b.election.release()
    released = clock()
    await eventually(lambda: c.leads)
    assert clock() - released < TIMING.duration
    assert await holder(client, namespace) == ("c", 2)
    await c.die()


async def test_frozen_and_restarted_api_server(control_plane: ControlPlane, models: Models) -> None:
    snapshot = Snapshot.parse("RemoteModel", await models.create())
    leader = Candidate(models.client, models.namespace, "a")
    await eventually(lambda: leader.leads)
    server = control_plane.api_server

    async def ask() -> None:
        for _ in range(20):  # the last of its threads may still answer
            await models.client.request("GET", models.target(), timeout=0.5)

    server.pause()
    try:
        with pytest.raises(KubernetesUnavailableError, match="TimeoutError"):
            await ask()
        await eventually(leader.lost)
    finally:
        server.resume()
    await asyncio.to_thread(server.stop, seconds=0)
    try:
        for _ in range(2):
            with pytest.raises(KubernetesUnavailableError):
                await models.store.read(snapshot.key)
        with pytest.raises(KubernetesUnavailableError):
            await models.store.write(snapshot, {"id": "abc"})
    finally:
        await asyncio.to_thread(server.start)
    written = await models.store.write(snapshot, {"id": "abc"})
    assert written == await models.store.read(ObjectKey("RemoteModel", models.namespace, "m"))
