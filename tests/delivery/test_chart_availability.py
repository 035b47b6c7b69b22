"""What keeps the pods running and the network closed; and the presets."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.chart import PRESETS, Chart, RenderError, Values, of_kind


def only(chart: Chart, kind: str, values: Values) -> dict[str, Any]:
    (found,) = of_kind(chart.render(values), kind)
    return found


def labels(chart: Chart, values: Values) -> dict[str, str]:
    found: dict[str, str] = only(chart, "Deployment", values)["spec"]["template"]["metadata"]["labels"]
    return found


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "NetworkPolicy"])
def test_none_is_there_by_default(chart: Chart, kind: str) -> None:
    assert of_kind(chart.render({}), kind) == []


def test_one_of_two_pods_stays(chart: Chart) -> None:
    spec = only(chart, "PodDisruptionBudget", PRESETS["ha"])["spec"]
    assert spec["minAvailable"] == 1
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert spec["selector"]["matchLabels"].items() <= labels(chart, PRESETS["ha"]).items()


def test_a_budget_that_would_block_every_drain_is_refused(chart: Chart) -> None:
    with pytest.raises(RenderError, match="needs a replicaCount of 2 or more"):
        chart.render({"podDisruptionBudget": {"enabled": True}})


def test_two_pods_go_to_two_nodes(chart: Chart) -> None:
    pod = only(chart, "Deployment", PRESETS["ha"])["spec"]["template"]["spec"]
    (spread,) = pod["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels(chart, PRESETS["ha"]).items()


def test_the_network_is_closed_but_for_what_is_needed(chart: Chart) -> None:
    values = {"networkPolicy": {"enabled": True}}
    spec = only(chart, "NetworkPolicy", values)["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= labels(chart, values).items()
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    scrapes, probes = spec["ingress"]
    assert scrapes == {"ports": [{"port": 8080, "protocol": "TCP"}]}
    assert probes == {"ports": [{"port": 8081, "protocol": "TCP"}]}
    dns, servers = spec["egress"]
    assert {(each["port"], each["protocol"]) for each in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert [each["port"] for each in servers["ports"]] == [443, 6443, 9200]


def test_scrapers_and_further_ways_out_can_be_named(chart: Chart) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    further = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    policy = {"enabled": True, "metricsFrom": peers, "egressPorts": [], "extraEgress": further}
    spec = only(chart, "NetworkPolicy", {"networkPolicy": policy})["spec"]
    assert spec["ingress"][0]["from"] == peers
    assert "from" not in spec["ingress"][1]
    assert spec["egress"][1:] == further


def test_the_namespaced_preset_needs_no_right_beyond_its_namespaces(chart: Chart) -> None:
    kinds = {manifest["kind"] for manifest in chart.render(PRESETS["namespaced"])}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    assert {"Role", "RoleBinding", "Deployment"} <= kinds
