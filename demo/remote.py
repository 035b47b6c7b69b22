"""What is in OpenSearch, seen with the administrator's eyes: the proof that nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx

KINDS: Final = ("connectors", "models", "model_groups")
EVERYTHING: Final = {"query": {"match_all": {}}, "size": 1000, "_source": False}


@dataclass(frozen=True, slots=True)
class Inventory:
    """The ids of what ML Commons has stored, by kind."""

    ids: dict[str, frozenset[str]]

    def __sub__(self, other: Inventory) -> Inventory:
        return Inventory({kind: ids - other.ids[kind] for kind, ids in self.ids.items()})

    def __str__(self) -> str:
        return ", ".join(f"{kind.replace('_', ' ')}: {len(ids)}" for kind, ids in self.ids.items())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not any(self.ids.values())


def take_inventory(client: httpx.Client) -> Inventory:
    """Search for all objects of all kinds. Raises httpx.HTTPStatusError."""
    return Inventory({kind: _ids(client, kind) for kind in KINDS})


def _ids(client: httpx.Client, kind: str) -> frozenset[str]:
    answer = client.post(f"/_plugins/_ml/{kind}/_search", json=EVERYTHING)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return frozenset()  # before the first object of a kind there is no index
    hits = answer.raise_for_status().json()["hits"]["hits"]
    return frozenset(hit["_id"] for hit in hits)
