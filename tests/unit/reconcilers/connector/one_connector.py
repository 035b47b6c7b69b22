"""The MLConnector of these tests, and what users do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensearch_ml_operator.models.snapshot import ObjectKey
from support.kind_documents import PREDICT
from support.memory_ports import NAMESPACE
from unit.reconcilers.driving import Driver

KEY = ObjectKey("MLConnector", NAMESPACE, "one")
MODEL = ObjectKey("RemoteModel", NAMESPACE, "user")
SPEC: Mapping[str, Any] = {
    "connectionRef": {"name": "main"},
    "actions": [PREDICT],
    "parameters": {"model": "small", "size": 3},
    "credentials": [{"name": "key", "secretKeyRef": {"name": "keys", "key": "a"}}],
    "update": {"keepOldFor": "10m"},
}


def use(driver: Driver, **status: Any) -> None:
    """Let a RemoteModel refer to the connector."""
    driver.stage.add("RemoteModel", "user", status=status)
    driver.stage.links[KEY] = (MODEL,)


def respec(driver: Driver, **changes: Any) -> None:
    """Change fields of the spec."""
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, **changes})
