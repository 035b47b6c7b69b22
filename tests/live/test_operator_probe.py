"""Probes on real servers: what a wrong key, a wrong model and a silent provider do to Ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stack import versions
from stack.modelserver.control import Fault
from stack.operator_process import OperatorProcess
from support.live_kube import condition
from support.live_metrics import opensearch_requests
from support.live_sets import CANARY, KEY, ROLE
from support.live_stage import Stage
from support.live_waiting import until

PROBE_ROLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "opensearch-role" / "probe-role.json").read_text()
)
EMBEDDING = {
    "preProcessFunction": "connector.pre_process.openai.embedding",
    "postProcessFunction": "connector.post_process.openai.embedding",
}
PROBE: dict[str, Any] = {"body": {"text_docs": ["a quiet harbour"]}, "expect": {"dimension": 256}}
DATA = {"jsonPath": "inference_results[0].output[0].data[255]"}
NEW_KEY = f"{CANARY}second-key"

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)


def allow_probes(stage: Stage) -> None:
    """Give the operator's user the right to predict, until the next test opens a stage."""
    sets, name = stage.sets, "cluster_permissions"
    if sets.secured:
        sets.node.give_role(sets.username, sets.username, {**ROLE, name: [*ROLE[name], *PROBE_ROLE[name]]})


def perform(stage: Stage, probe: dict[str, Any]) -> None:
    """Apply a set whose model makes embeddings and is probed."""
    connector = stage.sets.connector("probed")
    connector["spec"]["actions"][0] |= EMBEDDING
    stage.kube.apply(stage.sets.group("probed"), connector, stage.sets.model("probed", probe=probe))


@both
def test_a_model_is_ready_when_it_answers_as_expected(stage: Stage, operator: OperatorProcess) -> None:
    allow_probes(stage)
    stage.connect()
    stage.model_server.forget_requests()
    perform(stage, {**PROBE, "expect": {**PROBE["expect"], **DATA}})
    stage.ready("probed")
    status = stage.kube.get("RemoteModel", "probed")["status"]
    assert status["probe"]["dimension"] == 256
    (call,) = stage.model_server.requests()
    assert call.body == {"input": ["a quiet harbour"]}
    assert opensearch_requests(operator, stage.kube.namespace)["predict"] == 1

    stage.kube.patch("RemoteModel", "probed", {"spec": {"probe": {"expect": {"dimension": 384}}}})
    words = stage.kube.until_reason("RemoteModel", "probed", "UnexpectedOutput")
    assert "256 dimensions, not of 384" in words
    stage.kube.patch("RemoteModel", "probed", {"spec": {"probe": None}})
    ready = stage.kube.until_ready("RemoteModel", "probed")
    assert "probe" not in ready["status"]
    assert condition(ready, "Healthy") == {}


@both
def test_a_key_that_the_provider_refuses_is_told(stage: Stage, operator: OperatorProcess) -> None:
    allow_probes(stage)
    stage.connect()
    perform(stage, {"parameters": {"input": ["a quiet harbour"]}})
    stage.ready("probed")
    try:
        stage.model_server.accept_keys([KEY])
        stage.kube.apply(stage.sets.key(NEW_KEY))
        stage.kube.touch("MLConnector", "probed", "rotated")
        words = stage.kube.until_reason("MLConnector", "probed", "ProbeFailed")
        assert "provider, not OpenSearch, answered the probe with status 401" in words
        assert "Incorrect API key" in words
        assert NEW_KEY not in json.dumps(stage.kube.get("MLConnector", "probed"))
        stage.kube.until_ready("RemoteModel", "probed")
        assert condition(stage.kube.get("OpenSearchConnection", "main"), "Ready")["status"] == "True"

        stage.model_server.accept_keys([NEW_KEY])
        stage.kube.touch("MLConnector", "probed", "mended")
        stage.kube.until_ready("MLConnector", "probed")
        stage.ready("probed")
    finally:
        stage.model_server.accept_keys(None)
    assert operator.server.is_running()


@pytest.mark.exhaustive
@both
def test_a_provider_that_says_what_opensearch_does_not_know_ends_in_a_time_out(stage: Stage) -> None:
    allow_probes(stage)
    stage.kube.apply(*stage.sets.connection(timeout={"connect": "1s", "read": "2s"}), stage.sets.key())
    stage.kube.until_ready("OpenSearchConnection", "main")
    try:
        stage.model_server.set_fault(Fault(path="/v1/embeddings", status=418))
        perform(stage, PROBE)
        words = stage.kube.until_reason("RemoteModel", "probed", "ProbeFailed")
        assert "probe" in words
    finally:
        stage.model_server.clear_faults()
    stage.kube.until_ready("RemoteModel", "probed", seconds=60)


@pytest.mark.parametrize("stage", [versions.OPENSEARCH_2], indirect=True)
def test_the_role_for_probes_is_asked_for_by_name(stage: Stage) -> None:
    stage.connect()
    perform(stage, PROBE)
    words = stage.kube.until_reason("RemoteModel", "probed", "ProbeFailed")
    assert "cluster:admin/opensearch/ml/predict" in words
    assert "probe-role.json" in words
    allow_probes(stage)
    stage.kube.touch("RemoteModel", "probed", "allowed")
    stage.kube.until_ready("RemoteModel", "probed")


@pytest.mark.exhaustive
def test_a_periodic_probe_finds_what_breaks_later(stage: Stage, operator: OperatorProcess) -> None:
    stage.connect()
    perform(stage, {**PROBE, "mode": "Periodic", "interval": "30s", "failureThreshold": 1})
    stage.ready("probed")
    mark = stage.kube.mark("RemoteModel")
    try:
        stage.model_server.set_fault(Fault(path="/v1/embeddings", status=503))
        words = stage.kube.until_reason("RemoteModel", "probed", "ProbeFailed", seconds=60)
        assert "503" in words
    finally:
        stage.model_server.clear_faults()
    stage.kube.until_ready("RemoteModel", "probed", seconds=60)
    assert stage.kube.changes("RemoteModel", mark)["probed"] == 2

    def probed() -> int:
        return opensearch_requests(operator, stage.kube.namespace)["predict"]

    mark, before = stage.kube.mark("RemoteModel"), probed()
    until(lambda: probed() > before, seconds=60)
    assert stage.kube.changes("RemoteModel", mark)["probed"] == 0
