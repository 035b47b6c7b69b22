"""An application that searches by meaning: it knows the model's id and nothing of Kubernetes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import httpx

from demo.screen import NotSeenError

INDEX: Final = "quickstart"
PIPELINE: Final = "quickstart-embedding"
DIMENSIONS: Final = 256
BEST: Final = 2

TRAVEL, COOKING, SPORT, CARS = "travel", "cooking", "sport", "cars"
DOCUMENTS: Final = {
    "Low cost air tickets to Lisbon": TRAVEL,
    "Airline fares drop after the holidays": TRAVEL,
    "Simmer the tomatoes with garlic and basil": COOKING,
    "Bake the bread until the crust is brown": COOKING,
    "The striker scored in the last minute": SPORT,
    "Her backhand won the tennis final": SPORT,
    "Replace the brake pads every two years": CARS,
    "The engine needs new oil after a long drive": CARS,
}
# No query has a word in common with any document.
QUERIES: Final = {"cheap flights": TRAVEL, "fix my vehicle": CARS, "cooking supper": COOKING}


@dataclass(frozen=True, slots=True)
class Found:
    """A document and how near its meaning is to the query's: the higher the nearer."""

    text: str
    score: float


class Search(Protocol):
    """A search over DOCUMENTS. Every call raises NotSeenError with OpenSearch's words when it refuses."""

    @property
    def how(self) -> str:
        """What it is made of, for a person."""

    def load(self) -> None:
        """Have every document embedded by the model."""

    def find(self, query: str) -> list[Found]:
        """Return the best documents for a query, which the model embeds too."""

    def remove(self) -> None:
        """Leave nothing behind."""


@dataclass(frozen=True, slots=True)
class NeuralSearch:
    """Pipeline, index and query of the neural-search plugin, which calls the model by itself."""

    client: httpx.Client
    model_id: str

    @property
    def how(self) -> str:
        """What it is made of, for a person."""
        return "ingest pipeline (text_embedding), k-NN index (lucene), neural query"

    def load(self) -> None:
        """Make pipeline and index, and index the documents through the pipeline."""
        embed = {"text_embedding": {"model_id": self.model_id, "field_map": {"text": "vector"}}}
        _send(self.client, "PUT", f"/_ingest/pipeline/{PIPELINE}", {"processors": [embed]})
        method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
        vector = {"type": "knn_vector", "dimension": DIMENSIONS, "method": method}
        index = {
            "settings": {"index.knn": True, "default_pipeline": PIPELINE},
            "mappings": {"properties": {"text": {"type": "text"}, "vector": vector}},
        }
        _send(self.client, "PUT", f"/{INDEX}", index)
        for number, text in enumerate(DOCUMENTS):
            _send(self.client, "PUT", f"/{INDEX}/_doc/{number}?refresh=true", {"text": text})

    def find(self, query: str) -> list[Found]:
        """Ask with a neural query."""
        neural = {"vector": {"query_text": query, "model_id": self.model_id, "k": BEST}}
        body = {"size": BEST, "_source": ["text"], "query": {"neural": neural}}
        hits = _send(self.client, "POST", f"/{INDEX}/_search", body)["hits"]["hits"]
        return [Found(hit["_source"]["text"], hit["_score"]) for hit in hits]

    def remove(self) -> None:
        """Delete index and pipeline."""
        _send(self.client, "DELETE", f"/{INDEX}")
        _send(self.client, "DELETE", f"/_ingest/pipeline/{PIPELINE}")


@dataclass(frozen=True, slots=True)
class DirectSearch:
    """Predictions through the model, compared here: for a cluster without k-NN and neural-search."""

    client: httpx.Client
    model_id: str
    _vectors: dict[str, list[float]] = field(default_factory=dict)

    @property
    def how(self) -> str:
        """What it is made of, for a person."""
        return "predictions through the model, compared by the demo (no neural-search plugin here)"

    def load(self) -> None:
        """Embed the documents."""
        self._vectors.update(zip(DOCUMENTS, self._embed(list(DOCUMENTS)), strict=True))

    def find(self, query: str) -> list[Found]:
        """Embed the query and return the documents with the nearest vectors."""
        (wanted,) = self._embed([query])
        found = [Found(text, cosine(wanted, vector)) for text, vector in self._vectors.items()]
        return sorted(found, key=lambda each: each.score, reverse=True)[:BEST]

    def remove(self) -> None:
        """Forget the vectors: there is nothing in OpenSearch."""
        self._vectors.clear()

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        path = f"/_plugins/_ml/_predict/text_embedding/{self.model_id}"
        answer = _send(self.client, "POST", path, {"text_docs": list(texts)})
        return [output["data"] for result in answer["inference_results"] for output in result["output"]]


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors."""
    return sum(map(float.__mul__, left, right)) / (math.hypot(*left) * math.hypot(*right))


def _send(client: httpx.Client, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = client.request(method, path, json=body)
    if not answer.is_success:
        raise NotSeenError(f"a good answer to {method} {path}, but OpenSearch said: {answer.text}")
    content: dict[str, Any] = answer.json()
    return content
