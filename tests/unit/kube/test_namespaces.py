from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import KubernetesForbiddenError
from opensearch_ml_operator.kube import client as client_module
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.namespaces import list_labels
from support.fake_kube import FakeKube, Fault


async def test_the_labels_of_all_pages_are_read(
    client: KubeClient, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAGE", 2)
    for number in range(4):
        metadata = {"name": f"team-{number}", "labels": {"number": str(number)}}
        kube.create("namespaces", {"metadata": metadata})
    assert await list_labels(client) == {
        "default": {},
        **{f"team-{number}": {"number": str(number)} for number in range(4)},
    }
    assert kube.counts["list", "namespaces", ""] == 3


async def test_a_refusal_is_told(client: KubeClient, kube: FakeKube) -> None:
    kube.fail(Fault(status=403))
    with pytest.raises(KubernetesForbiddenError):
        await list_labels(client)
