from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.constants import SCHEMA_HASH_ANNOTATION
from opensearch_ml_operator.errors import KubernetesForbiddenError, KubernetesUnavailableError
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.crds import missing_or_different
from support.fake_kube import FakeKube, Fault

CRDS = "customresourcedefinitions"
NAME = "remotemodels.opensearchml.io"
HASHES = {"remotemodels": "aaaa"}


def crd(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": NAME, "annotations": {SCHEMA_HASH_ANNOTATION: "aaaa"}, **metadata}}


async def test_all_is_well(client: KubeClient, kube: FakeKube) -> None:
    kube.create(CRDS, crd())
    assert await missing_or_different(client, HASHES) == []
    assert kube.counts == {("get", CRDS, ""): 1}


async def test_missing_ones_are_named_with_the_remedy(client: KubeClient, kube: FakeKube) -> None:
    kube.create(CRDS, crd())
    (problem,) = await missing_or_different(client, {**HASHES, "mlconnectors": "bbbb"})
    assert problem == (
        "CRD mlconnectors.opensearchml.io is not installed; "
        "install it with: kubectl apply --server-side -f crds/"
    )


@pytest.mark.parametrize(
    ("annotations", "found"), [({SCHEMA_HASH_ANNOTATION: "bbbb"}, "bbbb"), (None, "none")]
)
async def test_another_release(
    client: KubeClient, kube: FakeKube, annotations: dict[str, str] | None, found: str
) -> None:
    kube.create(CRDS, crd(annotations=annotations))
    (problem,) = await missing_or_different(client, HASHES)
    assert f"schema {found}, this one needs aaaa" in problem
    assert problem.endswith("kubectl apply --server-side -f crds/")


async def test_a_crd_on_its_way_out(client: KubeClient, kube: FakeKube) -> None:
    kube.create(CRDS, crd(finalizers=["customresourcecleanup.apiextensions.k8s.io"]))
    kube.delete(CRDS, NAME)
    (problem,) = await missing_or_different(client, HASHES)
    assert f"CRD {NAME} is being deleted" in problem


async def test_a_crd_that_is_not_served(client: KubeClient, kube: FakeKube) -> None:
    kube.create(CRDS, crd())
    kube.patch(CRDS, NAME, {"status": {"conditions": [{"type": "Established", "status": "False"}]}})
    (problem,) = await missing_or_different(client, HASHES)
    assert problem == f"CRD {NAME} is not served; see why with: kubectl describe crd {NAME}"


async def test_a_check_that_cannot_be_made_says_so(client: KubeClient, kube: FakeKube) -> None:
    kube.fail(Fault(status=403))
    with pytest.raises(KubernetesForbiddenError, match=f"get customresourcedefinitions .* '{NAME}'"):
        await missing_or_different(client, HASHES)
    kube.fail(Fault(status=503))
    with pytest.raises(KubernetesUnavailableError):
        await missing_or_different(client, HASHES)
