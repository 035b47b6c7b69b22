from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import ObjectGoneError
from opensearch_ml_operator.kube.targets import CRDS, SECRETS, Target, ours
from opensearch_ml_operator.models.snapshot import ObjectKey

MODEL = ObjectKey("RemoteModel", "team", "m")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (Target(SECRETS, "team", "key"), "/api/v1/namespaces/team/secrets/key"),
        (Target(CRDS, name="a.b"), "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b"),
        (Target(ours("remotemodels")), "/apis/opensearchml.io/v1alpha1/remotemodels"),
        (
            Target.of(ours("remotemodels"), MODEL, "status"),
            "/apis/opensearchml.io/v1alpha1/namespaces/team/remotemodels/m/status",
        ),
        (Target(SECRETS, "team", "a/../b?x#y"), "/api/v1/namespaces/team/secrets/a%2F..%2Fb%3Fx%23y"),
    ],
)
def test_path(target: Target, path: str) -> None:
    assert target.path == path


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_elsewhere_is_no_object(name: str) -> None:
    with pytest.raises(ObjectGoneError):
        _ = Target(SECRETS, "team", name).path
    with pytest.raises(ObjectGoneError):
        _ = Target(SECRETS, name, "key").path


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", Target(SECRETS, "team", "key"), "get secrets 'key' in namespace 'team'"),
        ("GET", Target(ours("remotemodels")), "list remotemodels (opensearchml.io)"),
        (
            "PATCH",
            Target.of(ours("remotemodels"), MODEL, "status"),
            "patch remotemodels/status (opensearchml.io) 'm' in namespace 'team'",
        ),
        ("POST", Target(SECRETS, "team"), "create secrets in namespace 'team'"),
    ],
)
def test_description_has_the_words_of_a_role(method: str, target: Target, text: str) -> None:
    assert target.describe(method) == text
