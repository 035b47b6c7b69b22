"""The operator's rights in both modes, written out: a new right must be a decision that is seen in review."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.chart import MATRIX, NAME, NAMESPACE, WATCHED, Chart, Manifest, Values, of_kind
from opensearch_ml_operator.constants import GROUP
from opensearch_ml_operator.models.kinds import KINDS, kinds

PLURALS = ["opensearchconnections", "mlmodelgroups", "mlconnectors", "remotemodels", "mlclustersettings"]
CLUSTER = ["clusteropensearchconnections"]
IN_EACH_NAMESPACE = [
    {"apiGroups": [GROUP], "resources": PLURALS, "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": [f"{plural}/status" for plural in PLURALS], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
OUTSIDE = [
    {"apiGroups": [GROUP], "resources": CLUSTER, "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": [f"{plural}/status" for plural in CLUSTER], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
]
OWN_CRDS = {
    "apiGroups": ["apiextensions.k8s.io"],
    "resources": ["customresourcedefinitions"],
    "resourceNames": [f"{plural}.{GROUP}" for plural in (*PLURALS, *CLUSTER)],
    "verbs": ["get"],
}
LEASE = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [NAME],
        "verbs": ["get", "patch"],
    },
]


def rules(manifests: list[Manifest], kind: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    return {
        (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]): manifest["rules"]
        for manifest in of_kind(manifests, kind)
    }


OWN_TOKEN = [
    {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [NAME],
        "verbs": ["create"],
    },
]


def bindings(manifests: list[Manifest], kind: str) -> set[tuple[str, str, str, str]]:
    found = set()
    for manifest in of_kind(manifests, kind):
        (subject,) = manifest["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
        role = manifest["roleRef"]
        assert role["apiGroup"] == "rbac.authorization.k8s.io"
        metadata = manifest["metadata"]
        found.add((metadata.get("namespace", ""), metadata["name"], role["kind"], role["name"]))
    return found


def test_the_chart_knows_every_kind() -> None:
    assert {*PLURALS} == {info.plural for info in kinds(cluster_wide=False)}
    assert {*PLURALS, *CLUSTER} == {info.plural for info in KINDS}


def test_cluster_wide_rights(chart: Chart) -> None:
    manifests = chart.render({})
    assert rules(manifests, "ClusterRole") == {
        ("", NAME): [*IN_EACH_NAMESPACE, *OUTSIDE, OWN_CRDS],
        ("", f"{NAME}-view"): [
            {"apiGroups": [GROUP], "resources": [*PLURALS, *CLUSTER], "verbs": ["get", "list", "watch"]}
        ],
        ("", f"{NAME}-edit"): [
            {
                "apiGroups": [GROUP],
                "resources": PLURALS,
                "verbs": ["create", "update", "patch", "delete", "deletecollection"],
            }
        ],
    }
    assert rules(manifests, "Role") == {(NAMESPACE, f"{NAME}-lease"): LEASE}
    # The view and edit roles are for people: nobody is bound to them here.
    assert bindings(manifests, "ClusterRoleBinding") == {("", NAME, "ClusterRole", NAME)}
    assert bindings(manifests, "RoleBinding") == {
        (NAMESPACE, f"{NAME}-lease", "Role", f"{NAME}-lease"),
    }


def test_rights_in_named_namespaces_only(chart: Chart) -> None:
    manifests = chart.render(MATRIX["namespaced"])
    assert of_kind(manifests, "ClusterRole") == []
    assert of_kind(manifests, "ClusterRoleBinding") == []
    assert rules(manifests, "Role") == {
        (NAMESPACE, f"{NAME}-lease"): LEASE,
        **{(namespace, NAME): IN_EACH_NAMESPACE for namespace in WATCHED},
    }
    assert bindings(manifests, "RoleBinding") == {
        (NAMESPACE, f"{NAME}-lease", "Role", f"{NAME}-lease"),
        *((namespace, NAME, "Role", NAME) for namespace in WATCHED),
    }


@pytest.mark.parametrize("watch", [[], list(WATCHED)], ids=["cluster-wide", "namespaced"])
def test_secrets_are_written_only_when_that_is_asked_for(chart: Chart, watch: list[str]) -> None:
    values = {"watch": {"namespaces": watch}}
    manifests = chart.render({**values, "rbac": {"exportToSecrets": True}})
    kind = "Role" if watch else "ClusterRole"
    asked = {
        key: rule for key, found in rules(manifests, kind).items() if key[1] == NAME for rule in found[3:4]
    }
    wanted = {
        "apiGroups": [""],
        "resources": ["configmaps", "secrets"],
        "verbs": ["create", "patch", "delete"],
    }
    assert asked == {(namespace, NAME): wanted for namespace in watch or [""]}
    without = [rule for found in rules(chart.render(values), kind).values() for rule in found]
    assert {verb for rule in without if "secrets" in rule["resources"] for verb in rule["verbs"]} == {"get"}


@pytest.mark.parametrize("name", ["defaults", "namespaced"])
def test_tokens_of_the_own_account_only_for_named_audiences(chart: Chart, name: str) -> None:
    manifests = chart.render({**MATRIX[name], "serviceAccount": {"tokenAudiences": ["search"]}})
    assert rules(manifests, "Role")[NAMESPACE, f"{NAME}-token"] == OWN_TOKEN
    assert (NAMESPACE, f"{NAME}-token", "Role", f"{NAME}-token") in bindings(manifests, "RoleBinding")


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_no_right_is_a_wildcard(chart: Chart, values: Values) -> None:
    manifests = chart.render(values)
    for manifest in of_kind(manifests, "ClusterRole") + of_kind(manifests, "Role"):
        for rule in manifest["rules"]:
            words = [word for part in rule.values() for word in part]
            assert words
            assert not [word for word in words if "*" in word]


def test_aggregation_reaches_the_roles_of_people(chart: Chart) -> None:
    aggregated = {
        manifest["metadata"]["name"]: {
            label.rpartition("-")[2]
            for label in manifest["metadata"]["labels"]
            if label.startswith("rbac.authorization.k8s.io/aggregate-to-")
        }
        for manifest in of_kind(chart.render({}), "ClusterRole")
    }
    assert aggregated == {
        NAME: set(),
        f"{NAME}-view": {"view", "edit", "admin"},
        f"{NAME}-edit": {"edit", "admin"},
    }


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"rbac": {"create": False}}, {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}),
        ({"leaderElection": {"enabled": False}}, {"Role", "RoleBinding"}),
        ({"serviceAccount": {"create": False, "name": "given"}}, {"ServiceAccount"}),
    ],
)
def test_what_a_toggle_leaves_out(chart: Chart, values: Values, missing: set[str]) -> None:
    everything = {manifest["kind"] for manifest in chart.render({})}
    assert everything - {manifest["kind"] for manifest in chart.render(values)} == missing


def test_users_roles_can_be_left_out(chart: Chart) -> None:
    manifests = chart.render({"rbac": {"aggregateClusterRoles": False}})
    assert [role["metadata"]["name"] for role in of_kind(manifests, "ClusterRole")] == [NAME]


def test_a_given_account_is_bound(chart: Chart) -> None:
    manifests = chart.render(MATRIX["given account"])
    for manifest in of_kind(manifests, "ClusterRoleBinding") + of_kind(manifests, "RoleBinding"):
        assert [subject["name"] for subject in manifest["subjects"]] == ["given"]
