"""The chart carries the generated CRDs, whole, and keeps them when it is told to."""

from __future__ import annotations

import pytest
import yaml

from delivery.chart import CHART, ROOT, Chart, Manifest, Values, of_kind

KEEP = "helm.sh/resource-policy"
GENERATED = sorted((ROOT / "crds").glob("*.yaml"))


def rendered(chart: Chart, values: Values) -> dict[str, Manifest]:
    found = of_kind(chart.render(values), "CustomResourceDefinition")
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def test_the_copies_are_the_generated_files_byte_for_byte() -> None:
    copies = sorted((CHART / "crds-src").iterdir())
    assert [path.name for path in copies] == [path.name for path in GENERATED]
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in GENERATED], "make crds"


@pytest.mark.parametrize("keep", [True, False])
def test_rendering_changes_nothing_but_the_policy(chart: Chart, keep: bool) -> None:  # noqa: FBT001 - a parameter
    crds = rendered(chart, {"crds": {"keep": keep}})
    assert len(crds) == len(GENERATED) > 0
    for path in GENERATED:
        source = yaml.safe_load(path.read_text())
        manifest = crds[source["metadata"]["name"]]
        assert manifest["metadata"]["annotations"].pop(KEEP, None) == ("keep" if keep else None)
        assert manifest == source


def test_they_can_be_left_to_somebody_else(chart: Chart) -> None:
    assert rendered(chart, {"crds": {"install": False}}) == {}
