"""Who refers to whom: which objects must be looked at again when one changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.references import CLUSTER_CONNECTION, CONNECTION, CONNECTOR, GROUP


class Links:
    """References in both directions; an object may be referred to before it exists."""

    def __init__(self) -> None:
        self._references: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self._dependents: dict[ObjectKey, dict[ObjectKey, None]] = {}
        self.version = 0
        """Grows whenever somebody begins or ends to refer to something."""

    def replace(self, key: ObjectKey, references: tuple[ObjectKey, ...]) -> None:
        """Set what the object refers to; costs nothing when that has not changed."""
        if references == self.references(key):
            return
        self.remove(key)
        if references:
            self._references[key] = references
        self.version += len(references)
        for reference in references:
            self._dependents.setdefault(reference, {})[key] = None

    def remove(self, key: ObjectKey) -> None:
        """Forget what the object refers to; those that refer to it stay."""
        for reference in self._references.pop(key, ()):
            self.version += 1
            dependents = self._dependents[reference]
            del dependents[key]
            if not dependents:
                del self._dependents[reference]

    def references(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return what the object refers to."""
        return self._references.get(key, ())

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return the objects that refer to this one, in the order in which they began to."""
        return tuple(self._dependents.get(key, ()))


def references_of(snapshot: Snapshot) -> tuple[ObjectKey, ...]:
    """Return what the spec refers to; never raises, whatever the spec holds.

    Whether a connection of the whole cluster may be used depends on the object's own namespace too.
    """
    match snapshot.key.kind:
        case "RemoteModel":
            fields = {"connectorRef": CONNECTOR, "modelGroupRef": GROUP, "connectionRef": CONNECTION}
        case "MLConnector" | "MLModelGroup" | "MLClusterSettings":
            fields = {"connectionRef": CONNECTION}
        case _:
            return ()
    namespace = snapshot.key.namespace
    found = [
        ObjectKey(kind, namespace, name)
        for field, kind in fields.items()
        if (name := _name(snapshot.spec.get(field), kind)) is not None
    ]
    if (name := _cluster_connection(snapshot.spec.get("connectionRef"))) is not None:
        found += [ObjectKey(CLUSTER_CONNECTION, "", name), namespace_key(namespace)]
    return tuple(found)


def namespace_key(name: str) -> ObjectKey:
    """Return the key by which objects refer to their namespace."""
    return ObjectKey("Namespace", "", name)


def _cluster_connection(reference: Any) -> str | None:
    explicit = isinstance(reference, Mapping) and "kind" in reference
    return _name(reference, CLUSTER_CONNECTION) if explicit else None


def _name(reference: Any, kind: str) -> str | None:
    """Return the name in a reference to an object of this kind."""
    if not isinstance(reference, Mapping) or reference.get("kind", kind) != kind:
        return None
    name = reference.get("name")
    return name if isinstance(name, str) and name else None
