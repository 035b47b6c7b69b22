"""The stage of one RemoteModel: two clusters, each with a connector, and a group."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.model.reconciler import ModelReconciler
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage, ready
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import KEY, SPEC


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.add("RemoteModel", "model", spec=SPEC)
    for number, connection in enumerate(("main", "other"), start=1):
        stage.cluster(connection)
        name = "embeddings" if connection == "main" else "elsewhere"
        spec = {"connectionRef": {"name": connection}}
        stage.add("MLConnector", name, spec=spec, status=ready(id=f"con{number}"))
    stage.add("MLModelGroup", "group", spec={"connectionRef": {"name": "main"}}, status=ready(id="grp1"))
    return stage


@pytest.fixture
def cluster(stage: Stage) -> MemoryOpenSearch:
    cluster = stage.pool.clients[ObjectKey("OpenSearchConnection", NAMESPACE, "main")]
    cluster.ids.extend(("con1", "grp1"))
    cluster.put("connector", {"name": "embeddings", "description": ""})
    cluster.put("group", {"name": "group", "description": ""})
    return cluster


@pytest.fixture
def other(stage: Stage) -> MemoryOpenSearch:
    return stage.pool.clients[ObjectKey("OpenSearchConnection", NAMESPACE, "other")]


@pytest.fixture
def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    assert cluster.docs["connector"]
    return Driver(stage, ModelReconciler(stage.ports()), KEY)
