"""`kubectl apply -k deploy` brings what the chart brings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from delivery.chart import ROOT, Manifest
from stack.controlplane import packaged_kubectl

CRDS = sorted((ROOT / "crds").glob("*.yaml"))


def build(folder: Path) -> list[Manifest]:
    command = [str(packaged_kubectl()), "kustomize", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(answer.stdout))


def in_order(manifests: list[Manifest]) -> list[str]:
    return sorted(json.dumps(manifest, sort_keys=True) for manifest in manifests)


def test_the_base_is_the_crds_and_the_manifest_of_the_chart() -> None:
    files = [*CRDS, ROOT / "deploy" / "install.yaml"]
    expected = [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]
    assert in_order(build(ROOT / "deploy")) == in_order(expected)


def test_an_overlay_changes_image_and_namespace(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "install.yaml").write_text((ROOT / "deploy" / "install.yaml").read_text())
    (base / "kustomization.yaml").write_text("resources: [install.yaml]\n")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [base]\nnamespace: platform\n"
        "images: [{name: opensearch-ml-operator, newName: registry.example/op, newTag: '2'}]\n"
    )
    manifests = build(tmp_path)
    (deployment,) = (each for each in manifests if each["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/op:2"
    named = {each["metadata"]["namespace"] for each in manifests if "namespace" in each["metadata"]}
    subjects = {each["subjects"][0]["namespace"] for each in manifests if "subjects" in each}
    assert named == subjects == {"platform"}


@pytest.mark.parametrize("path", CRDS, ids=lambda path: path.name)
def test_every_crd_is_in_the_base(path: Path) -> None:
    assert path.name in yaml.safe_load((ROOT / "crds" / "Kustomization").read_text())["resources"]
