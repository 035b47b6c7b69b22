"""The release is uninstalled and installed again: nothing of the users' is lost."""

from __future__ import annotations

from delivery.chart import NAME
from opensearch_ml_operator.constants import GROUP
from support.live_remote import KINDS
from support.live_stage import Stage
from support.live_waiting import until
from support.node_release import SETTINGS, Release


def test_uninstalling_loses_nothing_and_the_next_installation_goes_on(release: Release, stage: Stage) -> None:
    release.install(SETTINGS)
    stage.connect()
    model = stage.perform("first")
    versions = stage.kube.versions()
    stored = {kind: set(stage.remote.find(kind, stage.kube.namespace)) for kind in KINDS}

    release.helm("uninstall", NAME, "--wait")
    until(lambda: release.kubectl("get", "pods,deployments,roles", "--output=name") == "")
    assert stage.kube.versions() == versions
    assert f"remotemodels.{GROUP}" in release.kubectl("get", "crds", "--output=name")
    assert {kind: set(stage.remote.find(kind, stage.kube.namespace)) for kind in KINDS} == stored
    assert stage.remote.predict(model).is_success

    release.install(SETTINGS)
    stage.perform("second")
    assert stage.ready("first") == model
    assert set(stage.left().values()) == {2}
