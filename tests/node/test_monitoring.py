"""A real Prometheus scrapes the pod: the alerts and panels of the chart find what they ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live.test_operator_monitoring import at_once, check_panels, check_rules
from stack.prometheus import Prometheus, start_prometheus
from support.live_stage import Stage
from support.live_waiting import until
from support.node_release import SETTINGS, Release

pytestmark = pytest.mark.exhaustive

METRICS_PORT = "metrics"


@pytest.fixture
def prometheus(release: Release) -> Iterator[Prometheus]:
    release.install(SETTINGS)
    pod = release.pod()
    ports = pod["spec"]["containers"][0]["ports"]
    (port,) = (each["containerPort"] for each in ports if each["name"] == METRICS_PORT)
    running = start_prometheus(release.node.stack, f"{pod['status']['podIP']}:{port}", at_once())
    yield running
    running.server.stop()


def test_alerts_and_panels_work_on_what_the_pod_serves(stage: Stage, prometheus: Prometheus) -> None:
    stage.connect()
    group, connector, model = stage.sets.one_set("odd")
    model["spec"]["probe"] = {"parameters": {"input": ["a quiet harbour"]}, "expect": {"dimension": 3}}
    away = stage.sets.connection("away", endpoints=[f"http://127.0.0.1:{stage.stack.ports.take()}"])
    good, *_ = stage.sets.one_set("good")
    refused, *_ = stage.sets.one_set("refused")
    refused["spec"]["description"] = "<b>bold</b>"
    stage.kube.apply(*away, good, group, connector, model, refused)
    stage.kube.until_ready("MLModelGroup", "good")
    stage.kube.until("RemoteModel", "odd", lambda found: "id" in found.get("status", {}))
    stage.kube.delete("MLConnector", "odd")  # its model is still there

    def fires() -> set[tuple[str, str]]:
        return {(each["alertname"], each.get("name", "")) for each in prometheus.firing()}

    wanted = {
        ("OpenSearchMLConnectionDown", "away"),
        ("OpenSearchMLModelNotServing", "odd"),
        ("OpenSearchMLResourceNotReady", "odd"),
        ("OpenSearchMLResourceStalled", "refused"),
        ("OpenSearchMLDeletionStuck", "odd"),
    }
    until(lambda: fires() == wanted, seconds=90, told=fires)
    check_rules(prometheus)
    check_panels(prometheus)
