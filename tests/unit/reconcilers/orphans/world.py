"""A connection and what was made through it, some of it without a resource."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from opensearch_ml_operator.constants import DELETE_ORPHANS_ANNOTATION
from opensearch_ml_operator.models.connection import OpenSearchConnectionStatus
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker
from opensearch_ml_operator.reconcilers.orphans.handling import FIRST, INTERVAL, Orphans
from opensearch_ml_operator.reconcilers.orphans.search import GRACE
from opensearch_ml_operator.reconcilers.session import Session
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage

LIVING = "11111111-1111-4111-8111-111111111111"
LOST = "22222222-2222-4222-8222-222222222222"
KEY = ObjectKey("OpenSearchConnection", NAMESPACE, "main")


@dataclass
class World:
    """One process, one connection, one living connector."""

    stage: Stage = field(default_factory=Stage)

    def __post_init__(self) -> None:
        self.cluster: MemoryOpenSearch = self.stage.cluster()
        self.stage.add("MLConnector", "living", uid=LIVING)
        self.deleted: list[tuple[ObjectKey, str]] = []
        self.restart()

    def restart(self, **ports: Any) -> None:
        """Begin with nothing in memory."""
        ports_ = replace(self.stage.ports(), **ports)
        self.orphans = Orphans(ports_, deleted=lambda *what: self.deleted.append(what))

    def put(self, kind: str, uid: str, role: Role, **fields: Any) -> str:
        """Make an object as the operator did."""
        body = {"name": "lost", "description": f"words {marker(uid, role, 1)}", **fields}
        id_ = self.cluster.put(kind, body)
        self.cluster.show(kind, id_, created_time=int(self.stage.clock.now().timestamp() * 1000))
        return id_

    def age(self, seconds: float = GRACE) -> None:
        """Let time pass."""
        self.stage.clock.seconds += seconds

    def ask(self, value: str) -> None:
        """Annotate the connection."""
        self.stage.store.change(KEY, annotations={DELETE_ORPHANS_ANNOTATION: value})

    async def look(self, snapshot: Snapshot | None = None) -> list[str]:
        """Look, put on record what was seen, and return the ids."""
        session = Session(
            self.stage.ports(), snapshot or self.stage.store.objects[KEY], OpenSearchConnectionStatus
        )
        await session.record(**await self.orphans.look(session, self.cluster))
        orphans = session.status.orphans
        assert len(orphans) == min(session.status.orphan_count or 0, 50)
        return [orphan.id for orphan in orphans]

    def say(self, **spec: Any) -> None:
        """Set the connection's spec."""
        self.stage.store.change(KEY, spec=spec)

    def retain(self, *entries: str) -> None:
        """Have it on record that these were left on purpose."""
        self.stage.store.change(KEY, status={"retained": list(entries)})

    @property
    def retained(self) -> list[str]:
        """What is on record as left on purpose."""
        return list(self.stage.store.objects[KEY].status.get("retained", []))

    async def searched(self) -> list[str]:
        """Wait for the search that is due next, and return what it finds."""
        await self.look()
        self.age(max(FIRST, INTERVAL))
        return await self.look()
