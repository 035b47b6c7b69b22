from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError
from opensearch_ml_operator.kube import client as client_module
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.ghosts import list_keys
from opensearch_ml_operator.models.snapshot import ObjectKey
from support.fake_kube import FakeKube, Fault

LISTS = ("list", "remotemodels", "")


@pytest.fixture
def uids(kube: FakeKube, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Five models in two namespaces, listed two a page."""
    monkeypatch.setattr(client_module, "PAGE", 2)
    made = {}
    for number in range(5):
        metadata = {"name": f"m{number}", "namespace": f"team-{number % 2}"}
        body = kube.create("remotemodels", {"metadata": metadata, "spec": {"description": "x" * 1_000}})
        made[body["metadata"]["name"]] = body["metadata"]["uid"]
    return made


async def test_all_pages_are_read(client: KubeClient, kube: FakeKube, uids: dict[str, str]) -> None:
    found = await list_keys(client, "RemoteModel", "remotemodels")
    assert found == {
        (ObjectKey("RemoteModel", f"team-{int(name[1:]) % 2}", name), uid) for name, uid in uids.items()
    }
    assert kube.counts[LISTS] == 3
    assert all("PartialObjectMetadataList" in call.accept for call in kube.calls), "specs are not asked for"


async def test_only_the_given_namespaces_are_asked_for(
    client: KubeClient, kube: FakeKube, uids: dict[str, str]
) -> None:
    found = await list_keys(client, "RemoteModel", "remotemodels", ["team-1", "empty"])
    assert {uid for _, uid in found} == {uids["m1"], uids["m3"]}
    assert [call.namespace for call in kube.calls] == ["team-1", "empty"]


async def test_a_deleted_object_is_not_there(
    client: KubeClient, kube: FakeKube, uids: dict[str, str]
) -> None:
    kube.vanish("remotemodels", "m0", "team-0")
    found = await list_keys(client, "RemoteModel", "remotemodels")
    assert uids["m0"] not in {uid for _, uid in found}
    assert len(found) == 4


@pytest.mark.usefixtures("uids")
@pytest.mark.parametrize(
    "fault", [Fault(status=404, body=b"404 page not found"), Fault(status=500), Fault(status=410)]
)
async def test_a_list_that_fails_is_not_an_empty_one(
    client: KubeClient, kube: FakeKube, fault: Fault
) -> None:
    kube.fail(fault)
    with pytest.raises(KubernetesUnavailableError):
        await list_keys(client, "RemoteModel", "remotemodels")
