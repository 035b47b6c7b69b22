"""The chart upgraded over CRDs of an older release, with objects of theirs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.chart import CHART, NAME
from opensearch_ml_operator.constants import GROUP
from support.live_stage import open_stage
from support.live_waiting import until
from support.node_release import IMAGE, SETTINGS, Release

pytestmark = pytest.mark.exhaustive

CRD = f"mlmodelgroups.{GROUP}"
HASH = f"{GROUP}/schema-hash"
FIELD = "suspend"
"""What the older release did not know yet."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return a chart whose CRD lacks a field."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    file = chart / "crds-src" / f"{GROUP}_mlmodelgroups.yaml"
    crd: dict[str, Any] = yaml.safe_load(file.read_text())
    crd["metadata"]["annotations"][HASH] = "0123456789abcdef"
    (version,) = crd["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][FIELD]
    file.write_text(yaml.safe_dump(crd))
    return chart


def test_older_crds_are_upgraded_and_their_objects_kept(release: Release, older: Path) -> None:
    kubectl = release.node.stack.control_plane.run_kubectl
    values = {**SETTINGS, "image": {"repository": IMAGE}}
    kubectl("create", "namespace", release.namespace)
    release.helm("upgrade", "--install", NAME, older, values=values)
    with open_stage(release.node.stack, "upgrade") as stage:
        stage.kube.apply(*stage.sets.connection(), stage.sets.key(), *stage.sets.one_set("first"))
        # An operator and CRDs that do not fit: it does nothing, and says why.
        until(lambda: "crds/" in release.log(), seconds=60, told=release.log)
        assert release.all_ready(1) is None
        assert stage.left() == {"models": 0, "connectors": 0, "model_groups": 0}

        # As docs/upgrade.md says.
        release.helm("upgrade", NAME, CHART, "--reset-then-reuse-values", "--wait", "--timeout=120s")
        stage.ready("first", seconds=60)
        assert FIELD in kubectl("get", "crd", CRD, "--output=yaml")
        stage.kube.apply(stage.sets.group("first", suspend=False))
        assert stage.kube.get("MLModelGroup", "first")["spec"][FIELD] is False
        stage.ready("first")
        stage.kube.delete_all()
        stage.until_nothing_is_left()
