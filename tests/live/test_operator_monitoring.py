"""A real Prometheus scrapes the operator: alerts fire for what is really wrong, and the panels show data."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from delivery.test_alerts import ALERTS, RULES
from delivery.test_chart_monitoring import expressions
from stack.local import Stack
from stack.operator_process import OperatorProcess
from stack.prometheus import Prometheus, start_prometheus
from support.live_stage import Stage
from support.live_waiting import until

STUCK = ("time() - opensearch_ml_resource_deletion_timestamp_seconds > 1800", "> 1800", "> 1")
EMPTY = {"Changes made by others"}
"""Panels without data here; promtool has parsed them."""
PROBE = {"parameters": {"input": ["a quiet harbour"]}, "expect": {"dimension": 3}}


def at_once() -> dict[str, Any]:
    """Return the alerts as they are, but without patience."""
    groups = copy.deepcopy(yaml.safe_load(ALERTS.read_text()))
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
            if rule["expr"] == STUCK[0]:
                rule["expr"] = rule["expr"].replace(*STUCK[1:])
    return dict(groups)


@pytest.fixture
def prometheus(local_stack: Stack, operator: OperatorProcess) -> Iterator[Prometheus]:
    target = operator.metrics_url.removeprefix("http://").removesuffix("/metrics")
    running = start_prometheus(local_stack, target, at_once())
    yield running
    running.server.stop()


def test_alerts_fire_for_what_is_wrong_and_for_nothing_else(stage: Stage, prometheus: Prometheus) -> None:
    stage.connect()
    stage.perform("good")

    def fires() -> set[tuple[str, str]]:
        ours = [each for each in prometheus.firing() if each.get("namespace") == stage.kube.namespace]
        return {(each["alertname"], each.get("name", "")) for each in ours}

    until(lambda: prometheus.query(f'opensearch_ml_resources{{namespace="{stage.kube.namespace}"}}'))
    until(lambda: fires() == set(), told=fires)

    away = stage.sets.connection("away", endpoints=[f"http://127.0.0.1:{stage.stack.ports.take()}"])
    group, connector, model = stage.sets.one_set("odd")
    model["spec"]["probe"] = PROBE  # the vectors have another length
    refused, *_ = stage.sets.one_set("refused")
    refused["spec"]["description"] = "<b>bold</b>"
    stage.kube.apply(*away, group, connector, model, refused)
    stage.kube.delete("MLConnector", "good")  # its model is still there

    wanted = {
        ("OpenSearchMLConnectionDown", "away"),
        ("OpenSearchMLModelNotServing", "odd"),
        ("OpenSearchMLResourceNotReady", "odd"),
        ("OpenSearchMLResourceStalled", refused["metadata"]["name"]),
        ("OpenSearchMLDeletionStuck", "good"),
    }
    until(lambda: fires() == wanted, seconds=60, told=fires)
    names = {each["alertname"] for each in prometheus.firing()}
    assert not names & {"OpenSearchMLOperatorDown", "OpenSearchMLOperatorNoLeader", "OpenSearchMLQueueOld"}
    check_rules(prometheus)
    check_panels(prometheus)


def check_rules(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == RULES.keys()
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []


def check_panels(prometheus: Prometheus) -> None:
    def empty() -> set[str]:
        shown: dict[str, int] = {}
        for title, expression in expressions():
            shown[title] = shown.get(title, 0) + len(prometheus.query(expression))
        return {title for title, series in shown.items() if not series}

    until(lambda: empty() == EMPTY, told=empty)  # a rate takes two scrapes
