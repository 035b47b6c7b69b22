"""What runs: the Deployment's pod, its environment, probes and confinement."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import AliasChoices

from delivery.chart import MATRIX, NAME, Chart, Manifest, RenderError, Values, deployment
from opensearch_ml_operator import __version__
from opensearch_ml_operator.config import Settings


def pod(manifests: list[Manifest]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(manifests)["spec"]["template"]["spec"]
    return spec


def container(manifests: list[Manifest]) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = pod(manifests)["containers"]
    return only


def environment(manifests: list[Manifest]) -> dict[str, Any]:
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom"))
        for variable in container(manifests)["env"]
    }


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_the_pod_is_confined(chart: Chart, values: Values) -> None:
    manifests = chart.render(values)
    assert pod(manifests)["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod(manifests)["automountServiceAccountToken"] is True
    assert pod(manifests)["enableServiceLinks"] is False


def test_the_root_file_system_is_read_only_but_tmp(chart: Chart) -> None:
    manifests = chart.render({})
    assert container(manifests)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the pod
    assert pod(manifests)["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}]


def test_the_environment_by_default(chart: Chart) -> None:
    assert environment(chart.render({})) == {
        "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "POD_NAMESPACE": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        "OPENSEARCH_ML_WATCH_NAMESPACES": "",
        "OPENSEARCH_ML_WORKERS": "32",
        "OPENSEARCH_ML_QUIET_PERIOD": "120s",
        "OPENSEARCH_ML_LEADER_ELECTION": "true",
        "OPENSEARCH_ML_LEASE_NAME": NAME,
        "OPENSEARCH_ML_LOG_LEVEL": "info",
        "OPENSEARCH_ML_LOG_FORMAT": "json",
        "OPENSEARCH_ML_METRICS_PORT": "8080",
        "OPENSEARCH_ML_HEALTH_PORT": "8081",
    }


def test_values_reach_the_environment(chart: Chart) -> None:
    variables = environment(chart.render({**MATRIX["everything set"], **MATRIX["namespaced"]}))
    assert variables["OPENSEARCH_ML_WATCH_NAMESPACES"] == "team-a,team-b"
    assert variables["OPENSEARCH_ML_WORKERS"] == "8"
    assert variables["OPENSEARCH_ML_QUIET_PERIOD"] == "3m"
    assert variables["OPENSEARCH_ML_LOG_LEVEL"] == "debug"
    assert variables["OPENSEARCH_ML_LOG_FORMAT"] == "text"
    assert variables["OPENSEARCH_ML_TOKEN_AUDIENCES"] == "search,https://opensearch.example"
    assert variables["SSL_CERT_FILE"] == "/ca/ca.crt"
    assert environment(chart.render(MATRIX["without election"]))["OPENSEARCH_ML_LEADER_ELECTION"] == "false"


def test_every_variable_is_a_setting(chart: Chart) -> None:
    known: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = (
            alias.choices if isinstance(alias, AliasChoices) else [alias or f"OPENSEARCH_ML_{name.upper()}"]
        )
        known.update(map(str, choices))
    assert environment(chart.render({})).keys() <= known
    more = {"serviceAccount": {"tokenAudiences": ["search"]}, "aws": {"identityForTeams": True}}
    assert environment(chart.render(more)).keys() <= known


@pytest.mark.parametrize("name", ["defaults", "namespaced", "without election", "everything set"])
def test_the_operator_understands_its_environment(
    chart: Chart, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(chart.render(MATRIX[name])).items():
        monkeypatch.setenv(variable, value if isinstance(value, str) else "from the pod")
    settings, given = Settings(), MATRIX[name]
    assert settings.namespaces == tuple(given.get("watch", {}).get("namespaces", ()))
    assert settings.leader_election == given.get("leaderElection", {}).get("enabled", True)
    assert settings.workers == given.get("workers", 32)
    assert settings.quiet_period == given.get("quietPeriod", "120s")
    assert settings.audiences == tuple(given.get("serviceAccount", {}).get("tokenAudiences", ()))
    assert settings.aws_identity_for_teams == given.get("aws", {}).get("identityForTeams", False)
    assert settings.log_format == given.get("log", {}).get("format", "json")
    assert (settings.metrics_port, settings.health_port) == (8080, 8081)
    assert settings.lease_name == NAME
    assert (settings.lease_namespace, settings.pod_name) == ("from the pod", "from the pod")


def test_probes_ask_the_health_port(chart: Chart) -> None:
    spec = container(chart.render({}))
    assert {port["name"]: port["containerPort"] for port in spec["ports"]} == {
        "metrics": 8080,
        "health": 8081,
    }
    probes = {name: spec[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/healthz", "port": "health"},
        "liveness": {"path": "/healthz", "port": "health"},
        "readiness": {"path": "/readyz", "port": "health"},
    }


def test_the_image_is_that_of_the_release_unless_named(chart: Chart) -> None:
    assert container(chart.render({}))["image"] == f"opensearch-ml-operator:{__version__}"
    assert container(chart.render({"image": {"tag": "1.2.3"}}))["image"] == "opensearch-ml-operator:1.2.3"
    pinned = container(chart.render(MATRIX["everything set"]))
    assert pinned["image"] == f"registry.example/op@sha256:{'0' * 64}"
    assert pinned["imagePullPolicy"] == "Always"


def test_the_image_runs_by_its_own_entrypoint(chart: Chart) -> None:
    assert {"command", "args"} & set(container(chart.render({}))) == set()


def test_a_rolling_update_needs_the_election(chart: Chart) -> None:
    elected = deployment(chart.render({}))["spec"]
    assert elected["replicas"] == 1
    assert elected["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1},
    }
    alone = deployment(chart.render(MATRIX["without election"]))["spec"]
    assert alone["strategy"] == {"type": "Recreate"}
    with pytest.raises(RenderError, match=r"replicaCount above 1 needs leaderElection\.enabled"):
        chart.render({"replicaCount": 2, "leaderElection": {"enabled": False}})


def test_the_pod_gets_time_to_stop(chart: Chart) -> None:
    assert pod(chart.render({}))["terminationGracePeriodSeconds"] == 60
    assert pod(chart.render(MATRIX["everything set"]))["terminationGracePeriodSeconds"] == 90


def test_placement_values_reach_the_pod(chart: Chart) -> None:
    values = MATRIX["everything set"]
    spec = pod(chart.render(values))
    for name in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName"):
        assert spec[name] == values[name]
    assert spec["imagePullSecrets"] == values["imagePullSecrets"]
    assert spec["volumes"][1:] == values["extraVolumes"]
    assert spec["containers"][0]["volumeMounts"][1:] == values["extraVolumeMounts"]


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_the_deployment_selects_its_pods_and_names_its_account(chart: Chart, values: Values) -> None:
    manifests = chart.render(values)
    selector = deployment(manifests)["spec"]["selector"]["matchLabels"]
    labels = deployment(manifests)["spec"]["template"]["metadata"]["labels"]
    assert selector.keys() == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    assert selector.items() <= labels.items()
    accounts = [m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"] or ["given"]
    assert [pod(manifests)["serviceAccountName"]] == accounts


def test_common_labels_are_everywhere(chart: Chart) -> None:
    for manifest in chart.render(MATRIX["named"]):
        if manifest["kind"] != "CustomResourceDefinition":
            assert manifest["metadata"]["labels"]["team"] == "search"
            assert manifest["metadata"]["name"].startswith("mlops")


def test_an_account_is_needed(chart: Chart) -> None:
    with pytest.raises(RenderError, match=r"serviceAccount\.name must be set"):
        chart.render({"serviceAccount": {"create": False}})
