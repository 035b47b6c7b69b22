from __future__ import annotations

from typing import Any

from opensearch_ml_operator.cli.tree import Node, grow
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot


def snapshot(kind: str, name: str, namespace: str = "team", **spec: Any) -> Snapshot:
    return Snapshot(
        ObjectKey(kind, namespace, name), name, "1", 1, "", deleting=False, finalizer=True, spec=spec
    )


def shape(nodes: list[Node]) -> list[Any]:
    return [(node.key.name, shape(node.children)) if node.children else node.key.name for node in nodes]


def test_models_hang_on_connectors_and_all_else_on_connections() -> None:
    ref: dict[str, Any] = {"connectionRef": {"name": "main"}}
    objects = [
        snapshot("RemoteModel", "b-model", connectorRef={"name": "connector"}, **ref),
        snapshot("RemoteModel", "a-model", connectorRef={"name": "connector"}),
        snapshot("RemoteModel", "by-id", connectorID="xyz", **ref),
        snapshot("MLConnector", "connector", **ref),
        snapshot("MLModelGroup", "group", **ref),
        snapshot("OpenSearchConnection", "main"),
        snapshot("OpenSearchConnection", "main", "other"),
    ]
    assert shape(grow(objects)) == [
        "main",
        ("main", ["group", ("connector", ["a-model", "b-model"]), "by-id"]),
    ]


def test_what_is_only_referred_to_is_shown_as_missing() -> None:
    (root,) = grow([snapshot("RemoteModel", "model", connectorRef={"name": "gone"})])
    assert (root.key, root.snapshot) == (ObjectKey("MLConnector", "team", "gone"), None)
    assert shape([root]) == [("gone", ["model"])]


def test_a_connector_that_is_missing_hangs_nowhere_else() -> None:
    objects = [
        snapshot("OpenSearchConnection", "main"),
        snapshot("MLConnector", "connector", connectionRef={"name": "gone"}),
    ]
    assert shape(grow(objects)) == [("gone", ["connector"]), "main"]
