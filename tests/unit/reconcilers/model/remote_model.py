"""The RemoteModel that the tests of its life drive."""

from __future__ import annotations

from typing import Any

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.model.reconciler import ModelReconciler
from support.memory_ports import NAMESPACE
from unit.reconcilers.driving import Driver

SPEC: dict[str, Any] = {"connectorRef": {"name": "embeddings"}, "modelGroupRef": {"name": "group"}}
KEY = ObjectKey("RemoteModel", NAMESPACE, "model")


def respec(driver: Driver, **changes: Any) -> None:
    """Change the spec; None takes a field away."""
    spec = {**driver.snapshot.spec, **changes}
    driver.stage.store.change(KEY, spec={key: value for key, value in spec.items() if value is not None})


def fresh(driver: Driver) -> Driver:
    """Return the same object in a process that has just started."""
    return Driver(driver.stage, ModelReconciler(driver.stage.ports("pod-2")), KEY)
