"""docs/reference/rbac.md shows the rights that the chart gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from delivery.chart import NAME, NAMESPACE, ROOT, Chart, Manifest, Values, of_kind
from opensearch_ml_operator.constants import GROUP

PAGE = (ROOT / "docs" / "reference" / "rbac.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))

Row = tuple[str, str]


def rows(section: str, first: int = 0) -> list[Row]:
    """Return resources and verbs of a table, as they stand there."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(each[first], each[first + 1]) for each in cells]


def row(rule: Mapping[str, Any]) -> Row:
    """Return a rule as the page writes it."""
    names = [f"`{name}`" for name in sorted(rule["resources"])]
    ours = rule["apiGroups"] == [GROUP] and all(name.endswith("/status") for name in rule["resources"])
    verbs = ", ".join(f"`{verb}`" for verb in sorted(rule["verbs"]))
    return "their `status`" if ours else ", ".join(names), verbs


def rules(chart: Chart, values: Values, kind: str, name: str, namespace: str = "") -> list[Row]:
    found: list[Manifest] = [
        each
        for each in of_kind(chart.render(values), kind)
        if each["metadata"]["name"] == name and each["metadata"].get("namespace", "") == namespace
    ]
    (manifest,) = found
    return [row(rule) for rule in manifest["rules"]]


def test_the_operators_rights(chart: Chart) -> None:
    watched = rows("In each namespace that it watches")
    assert rules(chart, {"watch": {"namespaces": ["team-a"]}}, "Role", NAME, "team-a") == watched
    assert rules(chart, {}, "ClusterRole", NAME) == [*watched, *rows("In the whole cluster")]


def test_the_rights_in_its_own_namespace(chart: Chart) -> None:
    values = {"serviceAccount": {"tokenAudiences": ["search"]}}
    lease = rules(chart, values, "Role", f"{NAME}-lease", NAMESPACE)
    assert [*lease, *rules(chart, values, "Role", f"{NAME}-token", NAMESPACE)] == rows("In its own namespace")


def test_the_rights_of_people(chart: Chart) -> None:
    shown = dict(zip(("view", "edit"), rows("For people", first=1), strict=True))
    assert {role: verbs for role, (_, verbs) in shown.items()} == {
        role: rules(chart, {}, "ClusterRole", f"{NAME}-{role}")[0][1] for role in shown
    }


def test_secrets_are_written_only_when_asked_for(chart: Chart) -> None:
    values = {"rbac": {"exportToSecrets": True}}
    more = {*rules(chart, values, "ClusterRole", NAME)} - {*rules(chart, {}, "ClusterRole", NAME)}
    assert more == {("`configmaps`, `secrets`", "`create`, `delete`, `patch`")}
    assert "adds `create`, `delete`, `patch` for `secrets`" in PAGE
