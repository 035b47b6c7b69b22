"""The stage of one MLConnector with a credential."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.reconcilers.connector.reconciler import ConnectorReconciler
from opensearch_ml_operator.reconcilers.ports import SecretData
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage
from unit.reconcilers.connector.one_connector import KEY, SPEC
from unit.reconcilers.driving import Driver


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.add("MLConnector", "one", spec=SPEC)
    stage.secrets.secrets[NAMESPACE, "keys"] = SecretData("uid/1", {"a": b"first", "b": b"second"})
    return stage


@pytest.fixture
def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    assert not cluster.calls
    return Driver(stage, ConnectorReconciler(stage.ports()), KEY)
