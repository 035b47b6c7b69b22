"""`make bench` drives the operator on real servers: what it measures has happened, no more and no less."""

from __future__ import annotations

import pytest

from bench.driven import OperatorDriver
from bench.table import table
from bench.usage import OPENSEARCH, Servers
from stack.operator_process import OperatorProcess
from support.live_stage import Stage

SETS = 3


@pytest.mark.exhaustive
def test_every_step_does_what_it_is_measured_for(stage: Stage, operator: OperatorProcess) -> None:
    stage.connect()
    server = stage.sets.node.server
    assert server is not None
    driver = OperatorDriver(stage, operator, Servers({OPENSEARCH: server.pid}))

    created = driver.create(SETS)
    assert (created.requests["register-model"], created.requests["deploy-model"]) == (SETS, SETS)
    assert len(created.latencies) == SETS
    assert created.servers[OPENSEARCH] > 0
    assert 0 < min(created.latencies) <= max(created.latencies) <= created.wall
    assert created.writes is not None
    assert sum(created.writes.values()) >= SETS * len(stage.left())

    restarted = driver.restart()
    assert {operation.partition("-")[0] for operation in restarted.requests} <= {"get", "search"}
    drifted = driver.drift()
    assert drifted.requests["update-model"] == SETS

    edited = driver.edit()
    assert edited.requests["update-model"] == SETS
    assert {
        each["description"].split()[0] for each in stage.remote.find("models", stage.kube.namespace).values()
    } == {"changed"}

    before = set(stage.remote.find("connectors", stage.kube.namespace))
    rotated = driver.rotate()
    assert rotated.requests["update-model"] == SETS
    assert len(set(stage.remote.find("connectors", stage.kube.namespace)) - before) == SETS

    deleted = driver.delete()
    assert deleted.requests["delete-model"] == SETS
    assert set(stage.left().values()) == {0}
    assert len(table([created, restarted, drifted, edited, rotated, deleted]).splitlines()) == 2 + 6
