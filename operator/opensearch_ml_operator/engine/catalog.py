"""What the reconcilers may know of other objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..models.snapshot import ObjectKey, Snapshot
from .cache import Cache
from .links import Links


@dataclass(frozen=True, slots=True)
class KnownObjects:
    """The engine's side of the `Catalog` port: reads only, no I/O."""

    cache: Cache
    links: Links

    def get(self, key: ObjectKey) -> Snapshot | None:
        """Return the newest snapshot, or None when the object is unknown."""
        return self.cache.get(key)

    def all(self, kind: str) -> tuple[Snapshot, ...]:
        """Return the newest snapshots of all known objects of a kind."""
        return self.cache.of_kind(kind)

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return the objects whose spec refers to this one."""
        return self.links.dependents(key)

    @property
    def version(self) -> tuple[int, int]:
        """What is another one after a change of who refers to whom, or of a namespace's labels."""
        return self.links.version, self.cache.labels_version

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return the labels of a namespace, or None when they are not known."""
        return self.cache.labels(namespace)
