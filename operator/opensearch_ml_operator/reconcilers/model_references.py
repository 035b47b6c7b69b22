"""What a RemoteModel refers to: connection, connector, group. All of them on the same connection."""

from __future__ import annotations

from dataclasses import dataclass

from ..constants import ConditionType, Reason
from ..models.model import RemoteModelSpec, RemoteModelStatus
from ..models.snapshot import ObjectKey, Snapshot
from . import references
from .conditions import Fact, false
from .ports import Gate, MLCommons
from .references import CONNECTOR, GROUP, Unknown
from .session import Ports

_REMOTE = ("id", "pending", "ownedGroupID")
"""Status fields that stand for something in OpenSearch."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything that the model needs is there."""

    connection: str
    """Name of the connection."""
    client: MLCommons
    registers: Gate
    deploys: Gate
    probes: Gate
    connector_id: str
    group_id: str | None
    """None: the operator makes a group for this model alone."""

    def leave(self, key: ObjectKey) -> None:
        """Give up the place for registering and for deploying."""
        self.registers.leave(key)
        self.deploys.leave(key)


def known_group(status: RemoteModelStatus, resolved: Resolved) -> str | None:
    """Return the group that the model is to be in, as far as there is one.

    Without one in the spec: the one made for it, or the one in which it was when it was adopted.
    """
    adopted = status.model_group_id if status.origin == "Adopted" else None
    return resolved.group_id or adopted or status.owned_group_id


def connection_name(ports: Ports, snapshot: Snapshot) -> str:
    """Return the connection through which something was made or may still be, else the one its spec names."""
    status = snapshot.status
    registered = status.get("connection")
    if isinstance(registered, str) and registered and any(status.get(field) for field in _REMOTE):
        return registered
    return _named(ports, snapshot)


def _named(ports: Ports, snapshot: Snapshot) -> str:
    own = references.connection_name(snapshot)
    ref = snapshot.spec.get("connectorRef")
    if own or not isinstance(ref, dict):
        return own
    connector = ports.catalog.get(ObjectKey(CONNECTOR, snapshot.key.namespace, str(ref.get("name"))))
    return references.connection_name(connector) if connector is not None else ""


def resolve(  # noqa: PLR0911 - one return for each reference that leads nowhere
    ports: Ports, snapshot: Snapshot, spec: RemoteModelSpec
) -> Resolved | Fact | Unknown:
    """Follow all references; the first that leads nowhere is the answer."""
    namespace = snapshot.key.namespace
    connector_id: str | Fact = spec.connector_id or ""
    name = connection_name(ports, snapshot)
    moved = _named(ports, snapshot)
    if moved and moved != name:
        words = (
            f"The spec leads to connection {moved}, but the model is registered through {name}. A model "
            "cannot move to another cluster: create a new RemoteModel for it."
        )
        return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTION_MISMATCH, words, stalled=True)
    if spec.connector_ref is not None:
        key = ObjectKey(CONNECTOR, namespace, spec.connector_ref.name)
        connector_id = references.remote_id(
            ports, key, missing=Reason.CONNECTOR_NOT_FOUND, not_ready=Reason.CONNECTOR_NOT_READY
        )
        mismatch = _mismatch(ports, key, name)
        if mismatch is not None:
            return mismatch
        if isinstance(connector_id, Fact) and not name:
            return connector_id
    connection_key = references.connection_key(snapshot, name)
    connected = references.connection(ports, connection_key)
    if isinstance(connected, Fact | Unknown):
        return connected
    if isinstance(connector_id, Fact):
        return connector_id
    group_id: str | Fact | None = spec.model_group_id
    if spec.model_group_ref is not None:
        key = ObjectKey(GROUP, namespace, spec.model_group_ref.name)
        group_id = references.remote_id(
            ports, key, missing=Reason.MODEL_GROUP_NOT_FOUND, not_ready=Reason.MODEL_GROUP_NOT_READY
        )
        mismatch = _mismatch(ports, key, name)
        if mismatch is not None:
            return mismatch
    if isinstance(group_id, Fact):
        return group_id
    return Resolved(
        connection=name,
        client=connected.client,
        registers=ports.pool.gate(connection_key, "register"),
        deploys=ports.pool.gate(connection_key, "deploy"),
        probes=ports.pool.gate(connection_key, "probe"),
        connector_id=connector_id,
        group_id=group_id,
    )


def _mismatch(ports: Ports, key: ObjectKey, name: str) -> Fact | None:
    other = ports.catalog.get(key)
    theirs = references.connection_name(other) if other is not None else name
    if theirs == name:
        return None
    words = (
        f"{key.kind} {key.name} is on connection {theirs}, this model on {name}. Both must name the same one."
    )
    return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTION_MISMATCH, words, stalled=True)
