"""OpenAI, Azure OpenAI, and the many that speak as they do."""

from __future__ import annotations

from pydantic import Field

from support.providers.shapes.common import GREETING, Json, Message, Shape
from support.providers.vectors import vector


class DeploymentChat(Shape):
    """Azure OpenAI: the path names the model."""

    messages: list[Message] = Field(min_length=1)

    def answer(self) -> Json:
        """Return a chat completion."""
        message = {"role": "assistant", "content": GREETING}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1735787045,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
        }


class Chat(DeploymentChat):
    """OpenAI and those who speak as it does."""

    model: str


class DeploymentEmbeddings(Shape):
    """Azure OpenAI: the path names the model."""

    input: list[str] = Field(min_length=1)

    def answer(self) -> Json:
        """Return a vector for each text."""
        data = [
            {"object": "embedding", "index": index, "embedding": vector(text)}
            for index, text in enumerate(self.input)
        ]
        return {"object": "list", "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}


class Embeddings(DeploymentEmbeddings):
    """OpenAI and those who speak as it does."""

    model: str
