from __future__ import annotations

import re

import pytest

from stack import go_binaries, versions
from stack.cache import Recipe


@pytest.mark.parametrize(
    ("recipe", "module"),
    [
        (go_binaries.etcd(), f"go.etcd.io/etcd/server/v3 v{versions.ETCD}"),
        (go_binaries.kubernetes(), f"k8s.io/kubernetes v{versions.KUBERNETES}"),
        (go_binaries.node(), f"k8s.io/kubernetes v{versions.KUBERNETES}"),
        (go_binaries.coredns(), f"github.com/coredns/coredns v{versions.COREDNS}"),
        (go_binaries.helm(), f"helm.sh/helm/v4 v{versions.HELM}"),
        (
            go_binaries.prometheus(),
            f"github.com/prometheus/prometheus v{versions.PROMETHEUS.replace('3.', '0.3', 1)}",
        ),
    ],
)
def test_go_mod_has_the_version_of_the_one_place(recipe: Recipe, module: str) -> None:
    go_mod = (go_binaries.MODULES / recipe.name / "go.mod").read_text()
    assert re.search(rf"^require {re.escape(module)}\b", go_mod, re.MULTILINE)


@pytest.mark.parametrize("module", ["kubernetes", "node"])
def test_staging_modules_are_of_the_same_release(module: str) -> None:
    go_mod = (go_binaries.MODULES / module / "go.mod").read_text()
    replaced = re.findall(r"^\tk8s\.io/\S+ => k8s\.io/\S+ v(\S+)$", go_mod, re.MULTILINE)
    assert len(replaced) > 20
    assert set(replaced) == {versions.KUBERNETES.replace("1.", "0.", 1)}


def test_programs_are_those_of_the_tool_lines() -> None:
    one = "module x\n\ntool go.etcd.io/etcd/server/v3\n\nrequire (\n\tk8s.io/y v1\n)\n"
    block = (
        "tool (\n\tk8s.io/kubernetes/cmd/kube-apiserver\n\thelm.sh/helm/v4/cmd/helm\n)\nrequire k8s.io/y v1\n"
    )
    packages = go_binaries.tool_packages(one) + go_binaries.tool_packages(block)
    assert [go_binaries.program_name(package) for package in packages] == ["etcd", "kube-apiserver", "helm"]
