"""deploy/install.yaml is the chart with its default values, for those without Helm."""

from __future__ import annotations

import yaml

from delivery.chart import ROOT, Chart

OF_HELM = ("app.kubernetes.io/managed-by", "helm.sh/chart")


def test_it_is_the_rendered_chart(chart: Chart) -> None:
    expected = chart.render({"crds": {"install": False}})
    for manifest in expected:
        metadata = [manifest["metadata"]]
        if manifest["kind"] == "Deployment":
            metadata.append(manifest["spec"]["template"]["metadata"])
        for part in metadata:
            for label in OF_HELM:
                del part["labels"][label]
    manifests = [m for m in yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text()) if m]
    assert manifests == expected, "make manifest"
