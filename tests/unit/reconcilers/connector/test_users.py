"""Which probes a new connector must answer before models are moved to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensearch_ml_operator.models.connector import MLConnectorStatus
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.connector.users import probes
from opensearch_ml_operator.reconcilers.session import Session
from support.memory_ports import NAMESPACE, Stage

STATUS: Mapping[str, Any] = {"id": "a", "previous": [{"id": "b", "since": "2026-01-01T00:00:00Z"}]}
SPEC: Mapping[str, Any] = {"connectorRef": {"name": "one"}, "probe": {"parameters": {"input": ["x"]}}}
USES: Mapping[str, Any] = {"connectorID": "a"}


def asked(*models: Mapping[str, Any]) -> list[Any]:
    """Return what the probes of these models send."""
    stage = Stage()
    connector = stage.add("MLConnector", "one", status=STATUS)
    names = [f"model{number}" for number in range(len(models))]
    for name, model in zip(names, models, strict=True):
        stage.add("RemoteModel", name, **{"spec": SPEC, "status": USES, **model})
    stage.links[connector.key] = tuple(ObjectKey("RemoteModel", NAMESPACE, name) for name in names)
    session = Session(stage.ports(), connector, MLConnectorStatus)
    return [probe.request for probe in probes(session)]


@pytest.mark.parametrize(
    ("model", "counts"),
    [
        pytest.param({}, True, id="probed"),
        pytest.param({"status": {"connectorID": "b"}}, True, id="still-on-an-earlier-one"),
        pytest.param({"status": {"connectorID": "z"}}, False, id="on-another"),
        pytest.param({"status": {}}, False, id="not-registered"),
        pytest.param({"deleting": True}, False, id="deleting"),
        pytest.param({"spec": {**SPEC, "deploy": False}}, False, id="not-deployed"),
        pytest.param({"spec": {**SPEC, "enabled": False}}, False, id="disabled"),
        pytest.param({"spec": {**SPEC, "probe": {"mode": "Off"}}}, False, id="off"),
        pytest.param({"spec": {"connectorRef": {"name": "one"}}}, False, id="no-probe"),
        pytest.param({"spec": {**SPEC, "deploy": "yes"}}, False, id="unreadable"),
    ],
)
def test_whose_probe_counts(model: Mapping[str, Any], *, counts: bool) -> None:
    assert asked(model) == ([SPEC["probe"]] if counts else [])


def test_equal_probes_are_sent_once() -> None:
    other = {"spec": {**SPEC, "probe": {"parameters": {"input": ["y"]}}}}
    stricter = {"spec": {**SPEC, "probe": {**SPEC["probe"], "expect": {"dimension": 3}}}}
    assert len(asked({}, {}, other)) == 2
    assert len(asked({}, stricter)) == 2
