"""Aleph Alpha."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from support.providers.shapes.common import Json, Shape
from support.providers.vectors import vector


class SemanticEmbed(Shape):
    """Aleph Alpha's embeddings, one text a call."""

    model: str
    prompt: str = Field(min_length=1)
    representation: Literal["symmetric", "document", "query"]
    compress_to_size: Literal[128]

    def answer(self) -> Json:
        """Return one vector."""
        return {"model_version": "2023-05", "embedding": vector(self.prompt), "num_tokens_prompt_total": 5}
