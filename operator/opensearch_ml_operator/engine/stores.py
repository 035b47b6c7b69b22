"""Reading your writes: what the API server answers is taken in before the watch delivers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..models.snapshot import ObjectKey, Snapshot


class Store(Protocol):
    """What the engine needs of the API server."""

    async def read(self, key: ObjectKey) -> Snapshot | None:
        """Read the object live; None when it does not exist."""

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        """Read all objects of a kind in a namespace live."""

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        """Write by compare-and-set."""


@dataclass(frozen=True, slots=True)
class ReadYourWrites:
    """A StatusStore that tells the engine of every answer; the next run decides by the newest version."""

    store: Store
    learn: Callable[[Snapshot], None]

    async def read(self, key: ObjectKey) -> Snapshot | None:
        """Read the object live; None when it does not exist."""
        snapshot = await self.store.read(key)
        if snapshot is not None:
            self.learn(snapshot)
        return snapshot

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        """Read all objects of a kind in a namespace live, and tell the engine of each."""
        found = await self.store.read_all(kind, namespace)
        for snapshot in found:
            self.learn(snapshot)
        return found

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        """Write by compare-and-set, as the store does."""
        written = await self.store.write(snapshot, status)
        self.learn(written)
        return written
