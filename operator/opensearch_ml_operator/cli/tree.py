"""`tree`: each connection with what is managed through it, and the state of everything."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.references import (
    CLUSTER_CONNECTION,
    CONNECTION,
    CONNECTOR,
    GROUP,
    MODEL,
    connection_key,
)
from . import options as shared
from .cluster import held, is_ready, open_cluster, verdict
from .exits import Exit
from .shell import Shell
from .words import MARKS

CONNECTIONS = (CLUSTER_CONNECTION, CONNECTION)


@dataclass(slots=True)
class Node:
    """One object, or one that is only referred to, and what hangs on it."""

    key: ObjectKey
    snapshot: Snapshot | None = None
    children: list[Node] = field(default_factory=list)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    shared.cluster(parser)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Show the tree; PROBLEMS when something in it is not Ready."""
    async with open_cluster(options, shell) as cluster:
        found = await cluster.list_allowed(shell)
    snapshots = [each for objects in found.values() for each in objects]
    roots = grow(snapshots)
    if options.output == "json":
        shell.document({"items": [_document(root) for root in roots]})
    elif not roots:
        shell.say("No objects of ours here; -A looks into all namespaces.")
    else:
        for root in roots:
            _show(shell, root, "", "", "")
    return Exit.OK if all(map(is_ready, snapshots)) else Exit.PROBLEMS


def grow(snapshots: Iterable[Snapshot]) -> list[Node]:
    """Hang each object on what it refers to. What does not exist but is referred to is shown too."""
    nodes = {each.key: Node(each.key, each) for each in snapshots}
    hung: set[ObjectKey] = set()
    for key in sorted(nodes, key=_order):
        parent = _parent(nodes[key].snapshot)
        if parent is not None:
            nodes.setdefault(parent, Node(parent)).children.append(nodes[key])
            hung.add(key)
    return [nodes[key] for key in sorted(nodes, key=_order) if key not in hung]


def _parent(snapshot: Snapshot | None) -> ObjectKey | None:
    """Return what an object hangs on: a model on its connector, everything else on its connection."""
    if snapshot is None or snapshot.key.kind in CONNECTIONS:
        return None
    namespace = snapshot.key.namespace
    ref = snapshot.spec.get("connectorRef")
    if snapshot.key.kind == MODEL and isinstance(ref, Mapping):
        return ObjectKey(CONNECTOR, namespace, str(ref.get("name")))
    connection = connection_key(snapshot)
    return connection if connection.name else None


def _order(key: ObjectKey) -> tuple[str, int, str]:
    kinds = (*CONNECTIONS, GROUP, CONNECTOR, MODEL)
    return key.namespace, kinds.index(key.kind) if key.kind in kinds else len(kinds), key.name


def _show(shell: Shell, node: Node, namespace: str, first: str, rest: str) -> None:
    shell.say(f"{first}{_line(node, namespace)}")
    for child in node.children:
        last = child is node.children[-1]
        own, below = rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")
        _show(shell, child, node.key.namespace, own, below)


def _line(node: Node, namespace: str) -> str:
    """Return an object with its state; with its namespace where that is not the one of what it hangs on."""
    key = node.key
    name = f"{key.kind} {key.name}" if key.namespace == namespace else str(key)
    if node.snapshot is None:
        return f"✗ {name}  does not exist, or may not be read"
    well, reason, _ = verdict(node.snapshot)
    said = [*_facts(node.snapshot), *([] if well else [reason])]
    return f"{MARKS[well]} {name}  {', '.join(said)}".rstrip()


def _facts(snapshot: Snapshot) -> list[str]:
    status, facts = snapshot.status, []
    if snapshot.key.kind in CONNECTIONS:
        facts += [f"OpenSearch {status['version']}"] if status.get("version") else []
        facts += [str(status["endpoint"])] if status.get("endpoint") else []
    if status.get("id"):
        facts.append(str(status["id"]))
    if status.get("state"):
        workers = status.get("workers") or {}
        nodes = f" on {workers.get('current', 0)} of {workers.get('planned', 0)} nodes" if workers else ""
        facts.append(f"{status['state']}{nodes}")
    if snapshot.key.kind == MODEL and isinstance(ref := snapshot.spec.get("modelGroupRef"), Mapping):
        facts.append(f"group {ref.get('name')}")
    return [*facts, word] if (word := held(snapshot)) else facts


def _document(node: Node) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": node.key.kind, "namespace": node.key.namespace, "name": node.key.name}
    if node.snapshot is None:
        document |= {"ready": False, "reason": "NotFound"}
    else:
        well, reason, _ = verdict(node.snapshot)
        document |= {"ready": well is True, "reason": reason}
        kept = ("id", "state", "version", "endpoint", "workers")
        document |= {field: node.snapshot.status[field] for field in kept if field in node.snapshot.status}
    return document | ({"children": [_document(child) for child in node.children]} if node.children else {})
