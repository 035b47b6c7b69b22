"""The alerts fire when they should and not else, as Prometheus' own checker evaluates them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.alert_cases import CASES, Case, Series
from delivery.chart import CHART
from support.scrape import everything, exposition

ALERTS = CHART / "files" / "alerts.yaml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
END = {"OpenSearchMLCertificateExpiring": "100m", "OpenSearchMLSuspendedLong": "180h"}


def check(promtool: Path, *arguments: str | Path, text: str | None = None) -> str:
    command = [str(promtool), *map(str, arguments)]
    answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def trial(series: Series, moments: Sequence[tuple[str, list[dict[str, Any]]]], alert: str) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": moment, "alertname": alert, "exp_alerts": expected} for moment, expected in moments
        ],
    }


def trials(case: Case) -> list[dict[str, Any]]:
    """Return what promtool is asked about one alert: not yet, now, and never."""
    labels = {**case.labels, "severity": case.severity}
    fires = [(case.not_yet, []), (case.fires_after, [{"exp_labels": labels}])]
    end = END.get(case.alert, "60m")
    return [
        trial(case.series, fires, case.alert),
        *(trial(series, [(case.fires_after, []), (end, [])], case.alert) for series in case.silent),
    ]


def test_promtool_finds_no_fault_with_the_rules(promtool: Path) -> None:
    assert f"{len(RULES)} rules found" in check(
        promtool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS
    )


def test_every_alert_has_its_case() -> None:
    assert [case.alert for case in CASES] == list(RULES)
    assert [case.alert for case in CASES if not case.silent] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_it_fires_in_time_and_only_then(case: Case, promtool: Path, tmp_path: Path) -> None:
    rule = {key: value for key, value in RULES[case.alert].items() if key != "annotations"}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": trials(case)}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    check(promtool, "test", "rules", tmp_path / "tests.yaml")


def test_the_words_of_an_alert_name_the_object(promtool: Path, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.alert == "OpenSearchMLModelUnderDeployed")
    words = {
        "summary": "The model team/m is on 2 nodes, fewer than planned.",
        "description": RULES[case.alert]["annotations"]["description"],
    }
    expected = [{"exp_labels": {**case.labels, "severity": case.severity}, "exp_annotations": words}]
    (tmp_path / "rules.yaml").write_text(ALERTS.read_text())
    tests = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [trial(case.series, [(case.fires_after, expected)], case.alert)],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    check(promtool, "test", "rules", tmp_path / "tests.yaml")


@pytest.mark.parametrize("alert", RULES)
def test_its_words_use_only_labels_that_it_has(alert: str) -> None:
    labels = next(case.labels for case in CASES if case.alert == alert)
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(RULES[alert]["annotations"].values())))
    assert used <= labels.keys()
    assert RULES[alert]["annotations"].keys() == {"summary", "description"}


def test_every_metric_of_the_rules_is_served() -> None:
    served = {sample.name for family in everything() for sample in family.samples}
    named = set(re.findall(r"\b(?:opensearch_ml|leader_election)_\w+", ALERTS.read_text()))
    assert len(named) > 12
    assert named - served == set()


def test_promtool_finds_no_fault_with_the_metrics(promtool: Path) -> None:
    check(promtool, "check", "metrics", text=exposition())
