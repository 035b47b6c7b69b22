"""values.yaml, its schema and its table in README.md say the same, and a typo is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from delivery.chart import CHART, Chart, RenderError, Values
from delivery.values_comments import documented_values

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
DOCUMENTED = documented_values(CHART / "values.yaml")


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    return found


def test_every_value_has_a_comment() -> None:
    assert [value.path for value in DOCUMENTED if not value.description.endswith(".")] == []


def test_the_readme_lists_every_value() -> None:
    lines = (CHART / "README.md").read_text().splitlines()
    table = lines[lines.index("| --- | --- | --- |") + 1 :]
    expected = [value.row for value in DOCUMENTED]
    assert table[: len(expected)] == expected


@pytest.mark.parametrize("path", [value.path for value in DOCUMENTED])
def test_every_value_is_in_the_schema(path: str) -> None:
    schema, values = SCHEMA, DEFAULTS
    for name in path.split("."):
        schema, values = resolve(schema["properties"][name]), values[name]
    assert "type" in schema or "enum" in schema


def test_the_schema_knows_no_value_that_does_not_exist() -> None:
    def check(schema: dict[str, Any], defaults: dict[str, Any]) -> None:
        assert schema["additionalProperties"] is False
        assert schema["properties"].keys() - {"global"} == defaults.keys()
        for name, inner in schema["properties"].items():
            if inner.get("properties") and name != "resources":
                check(inner, defaults[name])

    check(SCHEMA, DEFAULTS)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replicas": 1}, "additional properties 'replicas' not allowed"),
        ({"watch": {"namespace": ["a"]}}, "additional properties 'namespace' not allowed"),
        ({"image": {"tags": "1"}}, "additional properties 'tags' not allowed"),
        ({"crds": {"enabled": True}}, "additional properties 'enabled' not allowed"),
        ({"serviceAccount": {"annotation": {}}}, "additional properties 'annotation' not allowed"),
        ({"rbac": {"aggregate": True}}, "additional properties 'aggregate' not allowed"),
        ({"leaderElection": {"enable": True}}, "additional properties 'enable' not allowed"),
        ({"log": {"lvl": "info"}}, "additional properties 'lvl' not allowed"),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "additional properties 'minAvailable' not allowed"),
        ({"networkPolicy": {"egress": []}}, "additional properties 'egress' not allowed"),
        ({"metrics": {"enabled": True}}, "additional properties 'enabled' not allowed"),
        ({"metrics": {"serviceMonitor": {"labels": {}}}}, "additional properties 'labels' not allowed"),
        ({"metrics": {"serviceMonitor": {"interval": 30}}}, "got number, want string"),
        ({"metrics": {"prometheusRule": {"rules": []}}}, "additional properties 'rules' not allowed"),
        ({"metrics": {"prometheusRule": {"disabled": ["All"]}}}, "does not match pattern"),
        ({"grafanaDashboard": {"labels": {}}}, "additional properties 'labels' not allowed"),
        ({"resources": {"limit": {}}}, "additional properties 'limit' not allowed"),
        ({"watch": {"namespaces": ["Team_A"]}}, "does not match pattern"),
        ({"watch": {"namespaces": ["a", "a"]}}, "are equal"),
        ({"log": {"level": "verbose"}}, "value must be one of"),
        ({"image": {"digest": "1234"}}, "does not match pattern"),
        ({"image": {"repository": ""}}, "minLength"),
        ({"quietPeriod": "2 minutes"}, "does not match pattern"),
        ({"quietPeriod": 120}, "got number, want string"),
        ({"workers": 0}, "minimum"),
        ({"terminationGracePeriodSeconds": 5}, "minimum"),
    ],
)
def test_a_mistake_in_the_values_is_refused(chart: Chart, values: Values, complaint: str) -> None:
    with pytest.raises(RenderError, match=complaint):
        chart.render(values)


def test_values_of_an_umbrella_chart_are_accepted(chart: Chart) -> None:
    assert chart.render({"global": {"anything": 1}}) == chart.render({})


def test_helm_has_nothing_to_complain_about(chart: Chart) -> None:
    assert "0 chart(s) failed" in chart.run("lint", "--strict", CHART)
