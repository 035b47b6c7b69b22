"""The chart as Helm renders it, and the values that it is tried with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
NAMESPACE = "opensearch-ml"
NAME = "opensearch-ml-operator"
WATCHED = ("team-a", "team-b")

Values = Mapping[str, Any]
Manifest = dict[str, Any]

PRESETS: dict[str, Values] = {
    path.stem.removeprefix("values-"): yaml.safe_load(path.read_text())
    for path in sorted(CHART.glob("values-*.yaml"))
}

MATRIX: dict[str, Values] = {
    **{f"preset {name}": values for name, values in PRESETS.items()},
    "defaults": {},
    "namespaced": {"watch": {"namespaces": list(WATCHED)}},
    "two replicas": {"replicaCount": 2},
    "without election": {"leaderElection": {"enabled": False}},
    "without CRDs": {"crds": {"install": False}},
    "CRDs not kept": {"crds": {"keep": False}},
    "without RBAC": {"rbac": {"create": False}},
    "given account": {"serviceAccount": {"create": False, "name": "given"}},
    "named": {"fullnameOverride": "mlops", "nameOverride": "ml", "commonLabels": {"team": "search"}},
    "everything set": {
        "image": {
            "repository": "registry.example/op",
            "digest": "sha256:" + "0" * 64,
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {
            "annotations": {"example.org/role": "operator"},
            "tokenAudiences": ["search", "https://opensearch.example"],
        },
        "aws": {"identityForTeams": True},
        "rbac": {"exportToSecrets": True},
        "log": {"level": "debug", "format": "text"},
        "replicaCount": 3,
        "podDisruptionBudget": {"enabled": True},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {}}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        },
        "metrics": {
            "serviceMonitor": {
                "enabled": True,
                "additionalLabels": {"release": "prometheus"},
                "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
            },
            "prometheusRule": {
                "enabled": True,
                "additionalLabels": {"release": "prometheus"},
                "alertLabels": {"team": "search"},
                "runbookBaseUrl": "https://docs.example/operations",
                "disabled": ["OpenSearchMLOrphans"],
            },
        },
        "grafanaDashboard": {"enabled": True, "annotations": {"folder": "Search"}},
        "workers": 8,
        "quietPeriod": "3m",
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "podLabels": {"tier": "control"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
        ],
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 90,
    },
}


class RenderError(Exception):
    """Helm refused the values; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart and the `helm` that renders it; `home` keeps Helm's own files out of the user's."""

    helm: Path
    home: Path

    def run(self, *arguments: str | Path, values: Values | None = None) -> str:
        """Run Helm with the values on its standard input. Raises RenderError with what Helm said."""
        command = [str(self.helm), *map(str, arguments), *(["--values", "-"] if values is not None else [])]
        answer = subprocess.run(
            command,
            input=json.dumps(values),
            env={"HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            raise RenderError(answer.stderr)
        return answer.stdout

    def text(self, values: Values) -> str:
        """Render every template as one YAML stream."""
        return self.run("template", NAME, CHART, "--namespace", NAMESPACE, values=values)

    def render(self, values: Values) -> list[Manifest]:
        """Render every template."""
        return [manifest for manifest in yaml.safe_load_all(self.text(values)) if manifest]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Return the manifests of one kind, sorted by namespace and name."""
    found = [manifest for manifest in manifests if manifest["kind"] == kind]
    return sorted(found, key=lambda m: (m["metadata"].get("namespace", ""), m["metadata"]["name"]))


def deployment(manifests: list[Manifest]) -> Manifest:
    """Return the one Deployment."""
    (found,) = of_kind(manifests, "Deployment")
    return found
