"""What a RemoteModel refers to: connection, connector, group. All of them on the same connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...constants import ConditionType, Reason
from ...models.model import RemoteModelSpec, RemoteModelStatus
from ...models.snapshot import ObjectKey, Snapshot
from .. import references
from ..conditions import Fact, false
from ..ports import Gate, MLCommons
from ..references import CONNECTOR, GROUP, Unknown
from ..session import Ports


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything that the model needs is there."""

    connection: ObjectKey
    client: MLCommons
    registers: Gate
    deploys: Gate
    probes: Gate
    connector_id: str | None
    """None: the model has a connector of its own."""
    group_id: str | None
    """None: the operator makes a group for this model alone."""
    held: bool = False
    """Whether the connector can only be changed while the model is not deployed."""

    @property
    def on_record(self) -> dict[str, Any]:
        """The status fields that say which connection it is."""
        kind = self.connection.kind
        other = kind if kind != references.CONNECTION else None
        return {"connection": self.connection.name, "connection_kind": other}

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


def resolve(  # noqa: PLR0911 - one return for each reference that leads nowhere
    ports: Ports, snapshot: Snapshot, spec: RemoteModelSpec
) -> Resolved | Fact | Unknown:
    """Follow all references; the first that leads nowhere is the answer."""
    namespace = snapshot.key.namespace
    connector_id: str | Fact | None = spec.connector_id
    connection = references.used_connection(ports, snapshot)
    moved = references.named_connection(ports, snapshot)
    if moved.name and moved != connection:
        words = (
            f"The spec leads to {moved.kind} {moved.name}, but the model is registered through "
            f"{connection.kind} {connection.name}. A model cannot move to another cluster: create a new "
            "RemoteModel for it."
        )
        return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTION_MISMATCH, words, stalled=True)
    if spec.connector_ref is not None:
        key = ObjectKey(CONNECTOR, namespace, spec.connector_ref.name)
        connector_id = references.remote_id(
            ports, key, missing=Reason.CONNECTOR_NOT_FOUND, not_ready=Reason.CONNECTOR_NOT_READY
        )
        mismatch = _mismatch(ports, key, connection)
        if mismatch is not None:
            return mismatch
        if isinstance(connector_id, Fact) and not connection.name:
            return connector_id
    connected = references.connection(ports, connection, snapshot.key)
    if isinstance(connected, Fact | Unknown):
        return connected
    connector_id = references.foreign_ids(ports, connection, raw_ids(spec)) or connector_id
    if isinstance(connector_id, Fact):
        return connector_id
    group_id: str | Fact | None = spec.model_group_id
    if spec.model_group_ref is not None:
        key = ObjectKey(GROUP, namespace, spec.model_group_ref.name)
        group_id = references.remote_id(
            ports, key, missing=Reason.MODEL_GROUP_NOT_FOUND, not_ready=Reason.MODEL_GROUP_NOT_READY
        )
        mismatch = _mismatch(ports, key, connection)
        if mismatch is not None:
            return mismatch
    if isinstance(group_id, Fact):
        return group_id
    return Resolved(
        connection=connection,
        client=connected.client,
        registers=ports.pool.gate(connection, "register"),
        deploys=ports.pool.gate(connection, "deploy"),
        probes=ports.pool.gate(connection, "probe"),
        connector_id=connector_id,
        group_id=group_id,
        held=_is_held(ports, snapshot, spec),
    )


def _is_held(ports: Ports, snapshot: Snapshot, spec: RemoteModelSpec) -> bool:
    if spec.connector_ref is None:
        return False
    connector = ports.catalog.get(ObjectKey(CONNECTOR, snapshot.key.namespace, spec.connector_ref.name))
    return connector is not None and not connector.deleting and bool(connector.status.get("modelsHeldSince"))


def raw_ids(spec: RemoteModelSpec) -> list[str]:
    """Return the fields that name something in OpenSearch by its id; guardrails may name a model to ask."""
    raw = {
        "connectorID": spec.connector_id is not None,
        "modelGroupID": spec.model_group_id is not None,
        "guardrails": _holds_id(spec.guardrails),
    }
    return [field for field, named in raw.items() if named]


def _holds_id(value: Any) -> bool:
    if isinstance(value, dict):
        return "model_id" in value or any(_holds_id(inner) for inner in value.values())
    return isinstance(value, list) and any(_holds_id(inner) for inner in value)


def _mismatch(ports: Ports, key: ObjectKey, connection: ObjectKey) -> Fact | None:
    other = ports.catalog.get(key)
    theirs = references.connection_key(other) if other is not None else connection
    if theirs == connection:
        return None
    words = (
        f"{key.kind} {key.name} is on {theirs.kind} {theirs.name}, this model on {connection.kind} "
        f"{connection.name}. Both must name the same one."
    )
    return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTION_MISMATCH, words, stalled=True)
