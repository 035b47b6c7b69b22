"""OpenSearch from a test's side: what is stored there, seen with the administrator's eyes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from stack.opensearch_node import OpenSearch
from support.live_waiting import until

ML = "/_plugins/_ml"
KINDS = ("models", "connectors", "model_groups")
EVERYTHING = {"query": {"match_all": {}}, "size": 10_000}


@dataclass(frozen=True, slots=True)
class Remote:
    """One node. Objects belong to a test by their names, which begin with its namespace."""

    node: OpenSearch
    client: httpx.Client

    def find(self, kind: str, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the objects whose names begin so, by id."""
        answer = until(lambda: self._search(kind), seconds=10)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        hits = answer.raise_for_status().json()["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits if hit["_source"]["name"].startswith(prefix)}

    def _search(self, kind: str) -> httpx.Response | None:
        """Search; None while the index is being made, when it has no shard to answer yet."""
        answer = self.client.post(f"{ML}/{kind}/_search", json=EVERYTHING)
        return None if answer.is_server_error else answer

    def count(self, prefix: str) -> dict[str, int]:
        """Return how many objects of each kind there are."""
        return {kind: len(self.find(kind, prefix)) for kind in KINDS}

    def get(self, kind: str, object_id: str) -> dict[str, Any] | None:
        """Return an object or a task; None when there is none."""
        answer = self.client.get(f"{ML}/{kind}/{object_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def change(self, model_id: str, body: Mapping[str, Any]) -> None:
        """Change a model as a person does, and again when OpenSearch was writing it just then."""

        def accepted() -> bool:
            answer = self.client.put(f"{ML}/models/{model_id}", json=body)
            return answer.status_code != httpx.codes.CONFLICT and answer.raise_for_status().is_success

        until(accepted)

    def predict(self, model_id: str) -> httpx.Response:
        """Call a model, with one text to embed."""
        body = {"parameters": {"input": ["a quiet harbour"]}}
        return self.client.post(f"{ML}/models/{model_id}/_predict", json=body)

    @contextmanager
    def setting(self, name: str, value: object) -> Iterator[None]:
        """Change a setting of ML Commons for a while."""
        self._set({f"plugins.ml_commons.{name}": value})
        try:
            yield
        finally:
            self._set({f"plugins.ml_commons.{name}": None})

    def _set(self, settings: Mapping[str, object]) -> None:
        self.client.put("/_cluster/settings", json={"persistent": settings}).raise_for_status()


@contextmanager
def open_remote(node: OpenSearch) -> Iterator[Remote]:
    """Return a node's administrator."""
    with node.client() as client:
        yield Remote(node, client)
