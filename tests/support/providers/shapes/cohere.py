"""Cohere, by itself (version 2) and on Bedrock."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from support.providers.shapes.common import GREETING, Json, Message, Shape
from support.providers.vectors import score, vector


class CohereChat(Shape):
    """Cohere, version 2."""

    model: str
    messages: list[Message] = Field(min_length=1)

    def answer(self) -> Json:
        """Return one message."""
        content = [{"type": "text", "text": GREETING}]
        return {
            "id": "c1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": content},
        }


InputType = Literal["search_document", "search_query", "classification", "clustering"]
Truncate = Literal["NONE", "START", "END"]


class CohereEmbed(Shape):
    """Cohere, version 2."""

    model: str
    texts: list[str] = Field(min_length=1, max_length=96)
    input_type: InputType
    embedding_types: list[Literal["float"]] = Field(min_length=1)
    truncate: Truncate = "END"

    def answer(self) -> Json:
        """Return the vectors by type."""
        return {
            "id": "e1",
            "texts": self.texts,
            "embeddings": {"float": [vector(each) for each in self.texts]},
        }


class BedrockCohereEmbed(Shape):
    """Cohere Embed 3 on Bedrock."""

    texts: list[str] = Field(min_length=1, max_length=96)
    input_type: InputType
    truncate: Truncate = "NONE"

    def answer(self) -> Json:
        """Return the vectors."""
        return {
            "id": "e1",
            "response_type": "embeddings_floats",
            "texts": self.texts,
            "embeddings": [vector(each) for each in self.texts],
        }


class CohereRerank(Shape):
    """Cohere, version 2."""

    model: str
    query: str
    documents: list[str] = Field(min_length=1)
    top_n: int = Field(ge=1)

    def answer(self) -> Json:
        """Return the documents' scores, the best first."""
        scores = [
            {"index": index, "relevance_score": score(self.query, text)}
            for index, text in enumerate(self.documents)
        ]
        best = sorted(scores, key=lambda each: each["relevance_score"], reverse=True)
        return {"id": "r1", "results": best[: self.top_n]}
