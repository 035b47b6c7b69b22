"""Follows a resource's references to connection, connector, group. Missing is a fact, never an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from ..constants import ConditionType, Reason
from ..models.cluster_connection import AllowedNamespaces
from ..models.snapshot import ObjectKey, Snapshot
from .conditions import Fact, false
from .ports import MLCommons
from .session import IN_PROGRESS, Ports

CONNECTION = "OpenSearchConnection"
CLUSTER_CONNECTION = "ClusterOpenSearchConnection"
CONNECTIONS = frozenset({CONNECTION, CLUSTER_CONNECTION})
CONNECTOR = "MLConnector"
GROUP = "MLModelGroup"
MODEL = "RemoteModel"
SETTINGS = "MLClusterSettings"
REMOTE_KINDS: Mapping[str, str] = {CONNECTOR: "connector", GROUP: "group", MODEL: "model"}
"""What OpenSearch calls that of which `status.id` is the id, by our kind."""

_REMOTE = ("id", "pending", "ownedGroupID", "previous", "trustedEndpoints")
"""Status fields that stand for something in OpenSearch."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """This process has not looked at the connection yet; its first look wakes everyone who waits for it."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection may be used."""

    key: ObjectKey
    client: MLCommons


def connection_key(snapshot: Snapshot) -> ObjectKey:
    """Return the key of the connection that an object names, without a name when it names none.

    Read from the raw spec: deletion must work for a spec that no longer parses.
    """
    ref = snapshot.spec.get("connectionRef")
    named: Mapping[str, Any] = ref if isinstance(ref, dict) else {}
    name = named.get("name")
    return connection_of(named.get("kind"), name if isinstance(name, str) else "", snapshot.key.namespace)


def used_connection(ports: Ports, snapshot: Snapshot) -> ObjectKey:
    """Return the connection through which something was made or may still be, else the one its spec names."""
    registered = snapshot.status.get("connection")
    if isinstance(registered, str) and registered and _has_remote(snapshot):
        return connection_of(snapshot.status.get("connectionKind"), registered, snapshot.key.namespace)
    return named_connection(ports, snapshot)


def named_connection(ports: Ports, snapshot: Snapshot) -> ObjectKey:
    """Return the connection that the spec of an object names, be it by way of its connector."""
    own = connection_key(snapshot)
    ref = snapshot.spec.get("connectorRef")
    if own.name or not isinstance(ref, dict):
        return own
    connector = ports.catalog.get(ObjectKey(CONNECTOR, snapshot.key.namespace, str(ref.get("name"))))
    return connection_key(connector) if connector is not None else own


def followed(ports: Ports, snapshot: Snapshot) -> tuple[ObjectKey, ...]:
    """Return all that an object refers to: its connection first, then a connector and a group by name."""
    named = ((CONNECTOR, snapshot.spec.get("connectorRef")), (GROUP, snapshot.spec.get("modelGroupRef")))
    others = (
        ObjectKey(kind, snapshot.key.namespace, str(ref.get("name")))
        for kind, ref in named
        if isinstance(ref, dict)
    )
    return used_connection(ports, snapshot), *others


def connection_of(kind: Any, name: str, namespace: str) -> ObjectKey:
    """Return the key of a connection by kind and name, as an object in this namespace means it."""
    if kind == CLUSTER_CONNECTION:
        return ObjectKey(CLUSTER_CONNECTION, "", name)
    return ObjectKey(CONNECTION, namespace, name)


def connection(ports: Ports, key: ObjectKey, user: ObjectKey) -> Connected | Fact | Unknown:
    """Resolve a connection for an object, if the object's namespace may use it."""
    if ports.catalog.get(key) is not None and not allowed(ports, key, user.namespace):
        words = (
            f"{key.kind} {key.name} does not let objects of namespace {user.namespace} in. Ask its owner to "
            "add the namespace to its spec.allowedNamespaces, or name another connection."
        )
        return false(ConditionType.REFERENCES_RESOLVED, Reason.NAMESPACE_NOT_ALLOWED, words)
    return reachable(ports, key)


def allowed(ports: Ports, key: ObjectKey, namespace: str) -> bool:
    """Whether objects of a namespace may use a connection; what cannot be read lets nobody in."""
    if key.kind != CLUSTER_CONNECTION:
        return key.namespace == namespace
    snapshot = ports.catalog.get(key)
    try:
        rule = AllowedNamespaces.model_validate((snapshot.spec if snapshot else {}).get("allowedNamespaces"))
    except ValidationError:
        return False
    return rule.allow(namespace, ports.catalog.labels(namespace))


def foreign_ids(ports: Ports, key: ObjectKey, fields: Collection[str]) -> Fact | None:
    """Refuse spec fields that name objects of OpenSearch by id or name, where the connection forbids that.

    Its identity may see the objects of all namespaces: whoever may name them may use those of others.
    """
    snapshot = ports.catalog.get(key) if key.kind == CLUSTER_CONNECTION else None
    if not fields or snapshot is None or snapshot.spec.get("allowExternalIDs") is True:
        return None
    words = (
        f"{', '.join(f'spec.{field}' for field in fields)}: {key.kind} {key.name} does not let namespaces "
        "name objects of OpenSearch that are not managed in them. Refer to a resource of this namespace "
        "instead, or ask the connection's owner to set allowExternalIDs."
    )
    return false(ConditionType.REFERENCES_RESOLVED, Reason.NAMESPACE_NOT_ALLOWED, words, stalled=True)


def users(ports: Ports, key: ObjectKey) -> tuple[ObjectKey, ...]:
    """Return the objects that may use a connection or have made something through it.

    Anybody can name a connection of the whole cluster: only these count, and hold up its deletion.
    """
    return tuple(
        user
        for user in ports.catalog.dependents(key)
        if allowed(ports, key, user.namespace) or _has_remote(ports.catalog.get(user))
    )


def _has_remote(snapshot: Snapshot | None) -> bool:
    return snapshot is not None and any(snapshot.status.get(field) for field in _REMOTE)


def reachable(ports: Ports, key: ObjectKey) -> Connected | Fact | Unknown:
    """Resolve a connection; a failed health check, or a call that did not get through, closes it for all.

    Does not ask who may use it: what was made through it can always be deleted through it.
    """
    snapshot = ports.catalog.get(key)
    if snapshot is None:
        if key.kind == CLUSTER_CONNECTION and not ports.cluster_wide:
            words = (
                f"{key.kind} {key.name} cannot be used here: this operator watches single namespaces and has "
                "no rights beyond them. Name an OpenSearchConnection of this namespace."
            )
            return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTION_NOT_FOUND, words)
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
    not take the models down that still use the old revision. Only a connector that was adopted just now is
    first brought to its spec: OpenSearch does not change it any more once a model is deployed on it.
    """
    snapshot = ports.catalog.get(key)
    if snapshot is None:
        return _not_found(key, missing)
    id_ = snapshot.status.get("id")
    if snapshot.deleting and not id_:
        return _not_ready(key, not_ready, "It is being deleted.")
    if isinstance(id_, str) and id_ and not _is_just_adopted(snapshot):
        return id_
    verdict = ready(snapshot)
    if verdict is None:
        return replace(_not_ready(key, not_ready, "It has not been created yet."), awaited=True)
    return replace(_not_ready(key, not_ready, _words(verdict)), awaited=verdict.get("reason") in IN_PROGRESS)


def _is_just_adopted(snapshot: Snapshot) -> bool:
    """Whether the first change of an adopted connector is still to come, be it that it was refused so far.

    Not when nothing may be changed, nor when only a person can make it change.
    """
    status = snapshot.status
    adopted = snapshot.key.kind == CONNECTOR and status.get("origin") == "Adopted"
    as_specified = status.get("specHash") or snapshot.condition("Synced").get("status") == "True"
    stalled = snapshot.condition("Stalled").get("status") == "True"
    return adopted and not (as_specified or snapshot.held or stalled)


def ready(snapshot: Snapshot) -> Mapping[str, Any] | None:
    """Return the Ready condition of a snapshot as it is stored."""
    return snapshot.condition("Ready") or None


def names(keys: tuple[ObjectKey, ...], namespace: str) -> str:
    """Name some objects for a message, the first ten; those of other namespaces with theirs."""
    shown = ", ".join(
        key.name if key.namespace == namespace else f"{key.namespace}/{key.name}" for key in sorted(keys)[:10]
    )
    return f"{shown} and {len(keys) - 10} more" if len(keys) > 10 else shown  # noqa: PLR2004 - as the docstring says


def _not_found(key: ObjectKey, reason: Reason) -> Fact:
    where = f" in namespace {key.namespace}" if key.namespace else ""
    words = f"{key.kind} {key.name} does not exist{where}. Create it, or change the reference."
    return false(ConditionType.REFERENCES_RESOLVED, reason, words)


def _not_ready(key: ObjectKey, reason: Reason, words: str) -> Fact:
    return false(ConditionType.REFERENCES_RESOLVED, reason, f"{key.kind} {key.name} is not ready: {words}")


def _words(verdict: Mapping[str, Any]) -> str:
    return f"{verdict.get('reason', '')}: {verdict.get('message', '')}"[:500]
