"""Who refers to whom: which objects must be looked at again when one changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.references import CONNECTION, CONNECTOR, GROUP


class Links:
    """References in both directions; an object may be referred to before it exists."""

    def __init__(self) -> None:
        self._references: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self._dependents: dict[ObjectKey, dict[ObjectKey, None]] = {}

    def replace(self, key: ObjectKey, references: tuple[ObjectKey, ...]) -> None:
        """Set what the object refers to; costs nothing when that has not changed."""
        if references == self.references(key):
            return
        self.remove(key)
        if references:
            self._references[key] = references
        for reference in references:
            self._dependents.setdefault(reference, {})[key] = None

    def remove(self, key: ObjectKey) -> None:
        """Forget what the object refers to; those that refer to it stay."""
        for reference in self._references.pop(key, ()):
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
    """Return what the spec refers to, all in its own namespace; never raises, whatever the spec holds."""
    match snapshot.key.kind:
        case "RemoteModel":
            fields = {"connectorRef": CONNECTOR, "modelGroupRef": GROUP, "connectionRef": CONNECTION}
        case "MLConnector" | "MLModelGroup" | "MLClusterSettings":
            fields = {"connectionRef": CONNECTION}
        case _:
            return ()
    return tuple(
        ObjectKey(kind, snapshot.key.namespace, name)
        for field, kind in fields.items()
        if (name := _name(snapshot.spec.get(field), kind)) is not None
    )


def _name(reference: Any, kind: str) -> str | None:
    """Return the name in a reference to an object of this kind."""
    if not isinstance(reference, Mapping) or reference.get("kind", kind) != kind:
        return None
    name = reference.get("name")
    return name if isinstance(name, str) and name else None
