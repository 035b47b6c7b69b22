"""Follows a resource's references to connection, connector, group. Missing is a fact, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..constants import ConditionType, Reason
from ..models.snapshot import ObjectKey, Snapshot
from .conditions import Fact, false
from .ports import MLCommons
from .session import Ports

CONNECTION = "OpenSearchConnection"
CONNECTOR = "MLConnector"
GROUP = "MLModelGroup"
MODEL = "RemoteModel"
SETTINGS = "MLClusterSettings"


@dataclass(frozen=True, slots=True)
class Unknown:
    """This process has not looked at the connection yet; its first look wakes everyone who waits for it."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection may be used."""

    key: ObjectKey
    client: MLCommons


def connection_key(snapshot: Snapshot, name: str) -> ObjectKey:
    """Return the key of the connection that an object names: always in its own namespace."""
    return ObjectKey(CONNECTION, snapshot.key.namespace, name)


def connection_name(snapshot: Snapshot) -> str:
    """Return the connection's name from a raw spec: deletion must work for a spec that no longer parses."""
    ref = snapshot.spec.get("connectionRef")
    name = ref.get("name") if isinstance(ref, dict) else None
    return name if isinstance(name, str) else ""


def connection(ports: Ports, key: ObjectKey) -> Connected | Fact | Unknown:
    """Resolve a connection; a failed health check, or a call that did not get through, closes it for all."""
    snapshot = ports.catalog.get(key)
    if snapshot is None:
        return _not_found(key, Reason.CONNECTION_NOT_FOUND)
    client = ports.pool.client(key)
    verdict = ready(snapshot)
    if client is not None and ports.pool.available(key):
        return Connected(key, client)
    if verdict is None or verdict.get("status") == "True":
        if client is None:
            return Unknown()
        return _not_ready(key, Reason.CONNECTION_NOT_READY, "OpenSearch did not answer the last call.")
    return _not_ready(key, Reason.CONNECTION_NOT_READY, _words(verdict))


def remote_id(ports: Ports, key: ObjectKey, *, missing: Reason, not_ready: Reason) -> str | Fact:
    """Resolve a connector or a group to its id in OpenSearch.

    An object that has an id can be used, whatever else is wrong with it: a rotation that is under way must
    not take the models down that still use the old revision.
    """
    snapshot = ports.catalog.get(key)
    if snapshot is None:
        return _not_found(key, missing)
    id_ = snapshot.status.get("id")
    if snapshot.deleting and not id_:
        return _not_ready(key, not_ready, "It is being deleted.")
    if isinstance(id_, str) and id_:
        return id_
    verdict = ready(snapshot)
    return _not_ready(key, not_ready, _words(verdict) if verdict else "It has not been created yet.")


def ready(snapshot: Snapshot) -> Mapping[str, Any] | None:
    """Return the Ready condition of a snapshot as it is stored."""
    conditions = snapshot.status.get("conditions")
    if not isinstance(conditions, list):
        return None
    return next((c for c in conditions if isinstance(c, dict) and c.get("type") == "Ready"), None)


def names(keys: tuple[ObjectKey, ...]) -> str:
    """Name some objects for a message, the first ten."""
    shown = ", ".join(key.name for key in sorted(keys)[:10])
    return f"{shown} and {len(keys) - 10} more" if len(keys) > 10 else shown  # noqa: PLR2004 - as the docstring says


def _not_found(key: ObjectKey, reason: Reason) -> Fact:
    return false(
        ConditionType.REFERENCES_RESOLVED,
        reason,
        f"{key.kind} {key.name} does not exist in namespace {key.namespace}. "
        "Create it, or change the reference.",
    )


def _not_ready(key: ObjectKey, reason: Reason, words: str) -> Fact:
    return false(ConditionType.REFERENCES_RESOLVED, reason, f"{key.kind} {key.name} is not ready: {words}")


def _words(verdict: Mapping[str, Any]) -> str:
    return f"{verdict.get('reason', '')}: {verdict.get('message', '')}"[:500]
