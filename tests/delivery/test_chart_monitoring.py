"""ServiceMonitor, PrometheusRule and dashboard: off by default, and complete when they are on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.chart import CHART, NAME, NAMESPACE, PRESETS, Chart, Manifest, RenderError, Values, of_kind
from delivery.test_alerts import RULES, check
from support.scrape import everything

MONITORING = PRESETS["monitoring"]
DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())


def only(chart: Chart, kind: str, values: Values) -> Manifest:
    (found,) = of_kind(chart.render(values), kind)
    return found


def rules(manifest: Manifest) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in manifest["spec"]["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("kind", ["Service", "ServiceMonitor", "PrometheusRule", "ConfigMap"])
def test_nothing_of_it_is_there_by_default(chart: Chart, kind: str) -> None:
    assert of_kind(chart.render({}), kind) == []


def test_the_service_monitor_leads_to_the_pods(chart: Chart) -> None:
    service, monitor = (only(chart, kind, MONITORING) for kind in ("Service", "ServiceMonitor"))
    pods = only(chart, "Deployment", MONITORING)["spec"]["template"]
    assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = service["spec"]["ports"]
    assert endpoint["port"] == port["name"]
    assert endpoint["honorLabels"] is True
    ports = {each["name"]: each["containerPort"] for each in pods["spec"]["containers"][0]["ports"]}
    assert ports[port["targetPort"]] == port["port"] == 8080


def test_a_prometheus_finds_both_by_their_labels(chart: Chart) -> None:
    labels = {"additionalLabels": {"release": "prometheus"}}
    values = {
        "metrics": {
            "serviceMonitor": {"enabled": True, **labels, "interval": "1m"},
            "prometheusRule": {"enabled": True, **labels},
        }
    }
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert only(chart, kind, values)["metadata"]["labels"]["release"] == "prometheus"
    assert only(chart, "ServiceMonitor", values)["spec"]["endpoints"][0]["interval"] == "1m"


def test_the_rule_holds_the_alerts_as_they_are(chart: Chart) -> None:
    assert rules(only(chart, "PrometheusRule", MONITORING)) == RULES


def test_alerts_lead_to_their_runbooks_and_teams(chart: Chart, promtool: Path, tmp_path: Path) -> None:
    page = "https://docs.example/operations"
    values = {"enabled": True, "runbookBaseUrl": page, "alertLabels": {"team": "search", "severity": "x"}}
    manifest = only(chart, "PrometheusRule", {"metrics": {"prometheusRule": values}})
    for alert, rule in rules(manifest).items():
        assert rule["annotations"]["runbook_url"] == f"{page}#{alert.lower()}"
        assert rule["labels"] == {"team": "search", "severity": RULES[alert]["labels"]["severity"]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(manifest["spec"]))
    check(promtool, "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yaml")


def test_alerts_can_be_left_out_by_name(chart: Chart) -> None:
    values = {"enabled": True, "disabled": ["OpenSearchMLOrphans"]}
    manifest = only(chart, "PrometheusRule", {"metrics": {"prometheusRule": values}})
    assert RULES.keys() - rules(manifest).keys() == {"OpenSearchMLOrphans"}
    values["disabled"] = ["OpenSearchMLOrphan"]
    with pytest.raises(RenderError, match="there is no alert OpenSearchMLOrphan"):
        chart.render({"metrics": {"prometheusRule": values}})


def test_the_dashboard_is_where_the_sidecar_looks(chart: Chart) -> None:
    values = {**MONITORING["grafanaDashboard"], "namespace": "grafana", "annotations": {"folder": "Search"}}
    manifest = only(chart, "ConfigMap", {"grafanaDashboard": values})
    assert manifest["metadata"]["namespace"] == "grafana"
    assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert manifest["metadata"]["annotations"] == {"folder": "Search"}
    assert json.loads(manifest["data"][f"{NAME}.json"]) == DASHBOARD
    assert only(chart, "ConfigMap", MONITORING)["metadata"]["namespace"] == NAMESPACE


def expressions() -> Iterator[tuple[str, str]]:
    """Return the panels' expressions, as Grafana sends them with everything chosen."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], re.sub(r"\$(namespace|connection|kind)\b", ".*", expression)


def test_promtool_understands_every_panel(promtool: Path, tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, (_, expression) in enumerate(expressions())
    ]
    assert len(recorded) > 30
    assert [each for each in recorded if "$" in each["expr"]] == []
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": recorded}]}))
    check(promtool, "check", "rules", tmp_path / "rules.yaml")


def test_every_metric_and_label_of_the_panels_is_served() -> None:
    labels: dict[str, set[str]] = {}
    for family in everything():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    for title, expression in expressions():
        named = re.findall(r"\b((?:opensearch_ml|leader_election|process)_\w+)(?:\{([^}]*)\})?", expression)
        assert named, title
        for metric, selector in named:
            assert metric in labels, title
            assert set(re.findall(r"(\w+)[=!]", selector)) <= labels[metric], (title, metric)


def test_the_variables_are_filled_from_metrics_that_are_served() -> None:
    served = {sample.name: sample.labels for family in everything() for sample in family.samples}
    queries = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    assert len(queries) == 3
    for query in queries:
        (found,) = re.findall(r"^label_values\((\w+)(?:\{.*\})?, (\w+)\)$", query)
        assert found[1] in served[found[0]]


def test_panels_do_not_overlap_and_have_titles_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
