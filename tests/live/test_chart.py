"""The chart on a real API server: every manifest is accepted, and its rights are those that are meant."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.chart import CHART, MATRIX, NAME, NAMESPACE, ROOT, WATCHED, Chart, Values, deployment
from stack.controlplane import ControlPlane

GROUP = "opensearchml.io"
TENANT = WATCHED[0]
FOREIGN = "team-c"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"

Right = tuple[str, str, str, str, str]  # verb, group, resource[/subresource], name, namespace

IN_A_NAMESPACE: list[Right] = [
    *((verb, GROUP, "remotemodels", "any", TENANT) for verb in ("get", "list", "watch", "patch")),
    ("patch", GROUP, "mlconnectors/status", "any", TENANT),
    ("get", "", "secrets", "any", TENANT),
    ("get", "", "configmaps", "any", TENANT),
    ("create", "", "events", "", TENANT),
]
OWN_LEASE: list[Right] = [
    ("create", "coordination.k8s.io", "leases", "", NAMESPACE),
    ("get", "coordination.k8s.io", "leases", NAME, NAMESPACE),
    ("patch", "coordination.k8s.io", "leases", NAME, NAMESPACE),
]
OWN_CRD: Right = ("get", "apiextensions.k8s.io", "customresourcedefinitions", f"remotemodels.{GROUP}", "")
NAMESPACES: list[Right] = [("list", "", "namespaces", "", ""), ("watch", "", "namespaces", "", "")]
NEVER: list[Right] = [
    *((verb, "", "secrets", "", TENANT) for verb in ("list", "watch", "create", "update", "patch", "delete")),
    ("list", "", "configmaps", "", TENANT),
    *((verb, GROUP, "remotemodels", "any", TENANT) for verb in ("create", "update", "delete")),
    ("update", GROUP, "remotemodels/status", "any", TENANT),
    ("list", "", "events", "", TENANT),
    ("get", "coordination.k8s.io", "leases", "other", NAMESPACE),
    ("get", "coordination.k8s.io", "leases", NAME, TENANT),
    ("list", "apiextensions.k8s.io", "customresourcedefinitions", "", ""),
    ("get", "apiextensions.k8s.io", "customresourcedefinitions", "others.example.org", ""),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions", f"remotemodels.{GROUP}", ""),
]

Install = Callable[[Values], None]


@pytest.fixture(scope="session")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module", autouse=True)
def namespaces(control_plane: ControlPlane) -> None:
    for name in (NAMESPACE, *WATCHED, FOREIGN):
        document = control_plane.run_kubectl("create", "namespace", name, "--dry-run=client", "--output=json")
        control_plane.run_kubectl("apply", "-f", "-", document=document)
        control_plane.run_kubectl("label", "--overwrite", "namespace", name, RESTRICTED)


@pytest.fixture
def install(chart: Chart, control_plane: ControlPlane) -> Iterator[Install]:
    where = ("--namespace", NAMESPACE, "--kubeconfig", control_plane.kubeconfig)

    def run(values: Values) -> None:
        # Other tests of the session may have applied the CRDs before.
        ours = ("--take-ownership", "--force-conflicts")
        chart.run("upgrade", "--install", NAME, CHART, *where, *ours, values=values)

    yield run
    chart.run("uninstall", NAME, *where, "--ignore-not-found")


def allowed(control_plane: ControlPlane, right: Right) -> bool:
    verb, group, resource, name, namespace = right
    resource, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "name": name,
        "namespace": namespace,
    }
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "groups": groups, "resourceAttributes": attributes},
    }
    with control_plane.client() as client:
        answer = client.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
    answer.raise_for_status()
    verdict: bool = answer.json()["status"]["allowed"]
    return verdict


def refused(control_plane: ControlPlane, rights: list[Right]) -> list[Right]:
    return [right for right in rights if not allowed(control_plane, right)]


def elsewhere(rights: list[Right]) -> list[Right]:
    return [(*right[:4], FOREIGN) for right in rights]


@pytest.mark.exhaustive
@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_the_api_server_accepts_every_manifest(
    chart: Chart, control_plane: ControlPlane, values: Values
) -> None:
    # The Prometheus Operator's kinds are not here; their specs are checked by promtool.
    known = [each for each in chart.render(values) if "monitoring.coreos.com" not in each["apiVersion"]]
    document = "\n---\n".join(map(json.dumps, known))
    answer = control_plane.run_kubectl(
        "apply", "--dry-run=server", "--filename=-", "--output=name", document=document
    )
    assert len(answer.splitlines()) == len(known)


def test_the_base_for_kustomize_is_accepted(control_plane: ControlPlane) -> None:
    options = ("--dry-run=server", "--server-side", "--force-conflicts", "--output=name")
    answer = control_plane.run_kubectl("apply", *options, "-k", str(ROOT / "deploy"))
    assert f"deployment.apps/{NAME}" in answer
    assert f"customresourcedefinition.apiextensions.k8s.io/remotemodels.{GROUP}" in answer


def test_cluster_wide_rights(install: Install, control_plane: ControlPlane) -> None:
    install({})
    granted = [*IN_A_NAMESPACE, *elsewhere(IN_A_NAMESPACE), *OWN_LEASE, OWN_CRD, *NAMESPACES]
    assert refused(control_plane, granted) == []
    assert refused(control_plane, NEVER) == NEVER


def test_rights_in_named_namespaces_only(install: Install, control_plane: ControlPlane) -> None:
    install(MATRIX["namespaced"])
    assert refused(control_plane, [*IN_A_NAMESPACE, *OWN_LEASE]) == []
    beyond = [*NEVER, *elsewhere(IN_A_NAMESPACE), OWN_CRD, *NAMESPACES]
    assert refused(control_plane, beyond) == beyond


def test_without_election_there_is_no_right_on_leases(install: Install, control_plane: ControlPlane) -> None:
    install(MATRIX["without election"])
    assert refused(control_plane, OWN_LEASE) == OWN_LEASE


def test_narrowing_the_watch_takes_the_cluster_role_away(
    install: Install, control_plane: ControlPlane
) -> None:
    install({})
    install(MATRIX["namespaced"])
    foreign = elsewhere(IN_A_NAMESPACE)
    assert refused(control_plane, foreign) == foreign


def test_the_pod_is_admitted_where_pods_are_restricted(
    install: Install, chart: Chart, control_plane: ControlPlane
) -> None:
    install({})
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator"},
        "spec": deployment(chart.render({}))["spec"]["template"]["spec"],
    }
    with control_plane.client() as client:

        def admit(body: dict[str, Any]) -> int:
            path = f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All"
            return client.post(path, json=body).status_code

        assert admit(pod) == 201
        pod["spec"]["containers"][0].pop("securityContext")
        assert admit(pod) == 403


def test_uninstalling_keeps_the_objects_of_users(
    install: Install, chart: Chart, control_plane: ControlPlane
) -> None:
    install({})
    connection = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "OpenSearchConnection",
        "metadata": {"name": "kept", "namespace": TENANT},
        "spec": {"endpoints": ["https://opensearch.example:9200"]},
    }
    control_plane.run_kubectl("apply", "-f", "-", document=json.dumps(connection))
    chart.run("uninstall", NAME, "--namespace", NAMESPACE, "--kubeconfig", control_plane.kubeconfig)
    kept = ("get", "osconn", "kept", "--namespace", TENANT, "--output=name")
    assert control_plane.run_kubectl(*kept) == f"opensearchconnection.{GROUP}/kept\n"
    left = control_plane.run_kubectl(
        "get",
        "deployments,roles,rolebindings,serviceaccounts",
        f"--selector=app.kubernetes.io/instance={NAME}",
        f"--namespace={NAMESPACE}",
        "--output=name",
    )
    assert left == ""
    control_plane.run_kubectl("delete", "osconn", "kept", "--namespace", TENANT)


def test_the_documented_way_with_kubectl(control_plane: ControlPlane) -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    (block,) = re.findall(r"^## With kubectl\n\n```\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    create, *steps, rollout = block.splitlines()
    assert create == f"kubectl create namespace {NAMESPACE}"  # made by the fixture
    assert "rollout status" in rollout  # there are no nodes here
    try:
        for step in steps:
            _, *words = shlex.split(step)
            control_plane.run_kubectl(
                *(str(ROOT / word) if (ROOT / word).exists() else word for word in words)
            )
        image = "--output=jsonpath={.spec.template.spec.containers[0].image}"
        found = control_plane.run_kubectl("get", "deployment", NAME, "--namespace", NAMESPACE, image)
        assert found == "registry.example/opensearch-ml-operator:0.1.0"
        assert refused(control_plane, [*IN_A_NAMESPACE, *OWN_LEASE, OWN_CRD]) == []
    finally:
        control_plane.run_kubectl("delete", "--ignore-not-found", "-f", str(ROOT / "deploy" / "install.yaml"))
