"""Helm itself waits for models, by kstatus; Argo CD's health check says the same of what is really there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from delivery.chart import ROOT, Chart, RenderError
from support import kstatus
from support.argocd import health
from support.live_kube import OURS, Document
from support.live_stage import Stage

FILES = sorted((ROOT / "examples" / "gitops").glob("*/*.yaml"))
PATCH = ROOT / "deploy" / "argocd" / "argocd-cm-patch.yaml"


@pytest.fixture
def chart(helm: Path, tmp_path: Path) -> Chart:
    return Chart(helm, tmp_path)


def install(chart: Chart, stage: Stage, documents: Sequence[Document], *, timeout: str) -> None:
    """Install a chart of these documents, and return when Helm takes all of them for ready."""
    folder = chart.home / "models"
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: models\nversion: 0.1.0\n")
    text = "\n---\n".join(json.dumps(each).replace("{{", '{{ "{{" }}') for each in documents)
    (folder / "templates" / "models.yaml").write_text(text)
    where = ("--namespace", stage.kube.namespace, "--kubeconfig", stage.stack.control_plane.kubeconfig)
    chart.run("upgrade", "--install", "models", folder, *where, "--wait", "--timeout", timeout)


def health_check(stage: Stage) -> str:
    """Return the script as Argo CD reads it, after the documented command."""
    run = stage.stack.control_plane.run_kubectl
    namespace = f"--namespace={stage.kube.namespace}"
    run("create", "configmap", "argocd-cm", namespace)
    run("patch", "configmap", "argocd-cm", namespace, "--patch-file", str(PATCH))
    found = json.loads(run("get", "configmap", "argocd-cm", namespace, "--output=json"))
    script: str = yaml.safe_load(found["data"]["resource.customizations"])["opensearchml.io/*"]["health.lua"]
    return script


def verdicts(stage: Stage, script: str) -> dict[str, tuple[str, str]]:
    found = [each for kind in OURS for each in stage.kube.list(kind)]
    return {
        f"{each['kind']} {each['metadata']['name']}": (health(script, each)[0], kstatus.verdict(each))
        for each in found
    }


def test_helm_waits_until_the_models_are_ready(stage: Stage, chart: Chart) -> None:
    script = health_check(stage)
    documents = [*stage.sets.connection(), stage.sets.key(), *stage.sets.one_set("first")]
    install(chart, stage, documents, timeout="2m")
    seen = verdicts(stage, script)
    assert len(seen) == 4
    assert set(seen.values()) == {("Healthy", "Current")}

    (model,) = [each for each in documents if each["kind"] == "RemoteModel"]
    model["spec"]["description"] = "<b>bold</b>"
    with pytest.raises(RenderError):
        install(chart, stage, documents, timeout="20s")
    seen = verdicts(stage, script)
    assert seen.pop("RemoteModel first") == ("Degraded", "Failed")
    assert set(seen.values()) == {("Healthy", "Current")}


def test_the_api_server_takes_the_examples(stage: Stage) -> None:
    documents = [each for path in FILES for each in yaml.safe_load_all(path.read_text())]
    ours = [each for each in documents if each["apiVersion"].startswith("opensearchml.io/")]
    for each in ours:
        each["metadata"]["namespace"] = stage.kube.namespace
        answer = stage.stack.control_plane.run_kubectl(
            "apply", "--dry-run=server", "--filename=-", document=json.dumps(each)
        )
        assert "dry run" in answer
    assert len(ours) > 4
