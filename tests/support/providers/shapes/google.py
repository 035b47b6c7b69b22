"""Google: Gemini and Vertex AI."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from support.providers.shapes.common import GREETING, Json, Shape, Text
from support.providers.vectors import vector


class GeminiContent(Shape):
    """A turn in Gemini's form."""

    role: Literal["user", "model"]
    parts: list[Text] = Field(min_length=1)


class GenerateContent(Shape):
    """Gemini's chat."""

    contents: list[GeminiContent] = Field(min_length=1)

    def answer(self) -> Json:
        """Return one candidate."""
        content = {"role": "model", "parts": [{"text": GREETING}]}
        return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}


class EmbedParts(Shape):
    """The text of one embedding."""

    parts: list[Text] = Field(min_length=1, max_length=1)


class EmbedContent(Shape):
    """Gemini's embeddings, one text a call."""

    model: str = Field(pattern=r"^models/")
    content: EmbedParts

    def answer(self) -> Json:
        """Return one vector."""
        return {"embedding": {"values": vector(self.content.parts[0].text)}}


class VertexInstance(Shape):
    """One text for Vertex AI."""

    content: str = Field(min_length=1)
    task_type: Literal["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"]


class VertexPredict(Shape):
    """Vertex AI's text embeddings."""

    instances: list[VertexInstance] = Field(min_length=1, max_length=250)

    def answer(self) -> Json:
        """Return a vector for each instance."""
        statistics = {"truncated": False, "token_count": 5}
        return {
            "predictions": [
                {"embeddings": {"values": vector(each.content), "statistics": statistics}}
                for each in self.instances
            ]
        }
