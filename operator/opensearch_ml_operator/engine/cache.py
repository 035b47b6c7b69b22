"""The newest known version of every object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.references import CONNECTIONS

Identity: TypeAlias = tuple[ObjectKey, str]
"""Key and uid."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an accepted snapshot replaced; `old` is None for an object that was unknown."""

    old: Snapshot | None
    new: Snapshot

    @property
    def same_object(self) -> bool:
        """Whether both are versions of one object, rather than of two that had the same name in turn."""
        return self.old is not None and self.old.uid == self.new.uid


class Cache:
    """Newest snapshot by key. Fed by the watch and by the answers to our own writes, in any order."""

    def __init__(self) -> None:
        self._snapshots: dict[str, dict[ObjectKey, Snapshot]] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self.labels_version = 0
        """Grows with every change of the labels of a namespace."""

    def get(self, key: ObjectKey) -> Snapshot | None:
        """Return the newest snapshot, or None when the object is unknown."""
        return self._snapshots.get(key.kind, {}).get(key)

    def pack(self, key: ObjectKey) -> None:
        """Keep an object in little memory, because it rests; not a connection, which everybody reads."""
        known = self.get(key)
        if known is not None and key.kind not in CONNECTIONS:
            known.pack()

    def keys(self, kind: str) -> tuple[ObjectKey, ...]:
        """Return the keys of all known objects of the kind."""
        return tuple(self._snapshots.get(kind, ()))

    def of_kind(self, kind: str) -> tuple[Snapshot, ...]:
        """Return all known objects of the kind."""
        return tuple(self._snapshots.get(kind, {}).values())

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return everything that is known."""
        return tuple(snapshot for known in self._snapshots.values() for snapshot in known.values())

    def offer(self, snapshot: Snapshot) -> Change | None:
        """Keep the snapshot unless it is not newer than what is known; then return None."""
        known = self._snapshots.setdefault(snapshot.key.kind, {})
        old = known.get(snapshot.key)
        if old is not None and not _is_newer(snapshot, old):
            return None
        known[snapshot.key] = snapshot
        return Change(old, snapshot)

    def remove(self, key: ObjectKey, uid: str) -> Snapshot | None:
        """Drop the object of this uid; a successor of the same name stays, and None is returned."""
        known = self._snapshots.get(key.kind, {})
        snapshot = known.get(key)
        if snapshot is None or snapshot.uid != uid:
            return None
        return known.pop(key)

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return the labels of a namespace, or None when they are not known."""
        return self._labels.get(namespace)

    def label(self, namespace: str, labels: Mapping[str, str] | None) -> bool:
        """Keep the labels of a namespace, None for one that is gone; say whether they are news."""
        if labels == self.labels(namespace):
            return False
        self.labels_version += 1
        if labels is None:
            del self._labels[namespace]
        else:
            self._labels[namespace] = labels
        return True

    def identities(self, kind: str) -> tuple[Identity, ...]:
        """Return key and uid of every known object of the kind, to be given to `ghosts` after a listing."""
        return tuple((key, snapshot.uid) for key, snapshot in self._snapshots.get(kind, {}).items())

    def ghosts(self, known: Iterable[Identity], live: AbstractSet[Identity]) -> tuple[Snapshot, ...]:
        """Remove and return the objects that were known before a listing and that it does not contain.

        `known` must have been taken before the listing started: an object created meanwhile is in neither.
        """
        removed = (self.remove(*identity) for identity in known if identity not in live)
        return tuple(snapshot for snapshot in removed if snapshot is not None)


def _is_newer(new: Snapshot, old: Snapshot) -> bool:
    """Compare versions of one object, or the creation of two that had the same name in turn.

    resourceVersions are compared as numbers, which Kubernetes promises since 1.35 and has always kept. Where
    one is not a number, or two objects were created in the same second, the one offered last wins: the order
    of the watch. A wrong guess costs a refused write, for every write names the version it is based on.
    """
    if new.uid != old.uid and new.created != old.created:
        return new.created > old.created
    if new.resource_version.isdecimal() and old.resource_version.isdecimal():
        return int(new.resource_version) > int(old.resource_version)
    return new.resource_version != old.resource_version or new.uid != old.uid
