"""A server whose documents are read in batches, by a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from opensearch_ml_operator.errors import MLError
from opensearch_ml_operator.opensearch.observations import Observations
from opensearch_ml_operator.reconcilers.ports import Hit

MODEL = "model"


class Server:
    """Documents that count how often they have been changed; a clock; requests that can be held."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.documents: dict[str, int] = {}
        self.unsearchable: set[str] = set()
        self.searches: list[tuple[str, ...]] = []
        self.gets: list[str] = []
        self.failure: MLError | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.observations = Observations(search=self.search, get=self.get, clock=lambda: self.now)

    async def search(self, kind: str, ids: Sequence[str]) -> Mapping[str, Hit]:
        assert kind == MODEL
        self.searches.append(tuple(ids))
        found = {i: Hit(i, {"n": self.documents[i]}) for i in ids if i in self.documents}
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return {i: hit for i, hit in found.items() if i not in self.unsearchable}

    async def get(self, kind: str, object_id: str) -> Hit | None:
        assert kind == MODEL
        self.gets.append(object_id)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return Hit(object_id, {"n": self.documents[object_id]}) if object_id in self.documents else None

    async def observe(self, object_id: str, max_age: float = 60.0) -> int | None:
        hit = await self.observations.observe(MODEL, object_id, max_age=max_age)
        return hit.source["n"] if hit is not None else None

    async def remember(self, *ids: str) -> None:
        """Ask for each, and forget what that has cost."""
        for object_id in ids:
            self.documents[object_id] = 0
            await self.observe(object_id)
        self.searches.clear()
        self.gets.clear()

    @property
    def requests(self) -> int:
        return len(self.searches) + len(self.gets)
