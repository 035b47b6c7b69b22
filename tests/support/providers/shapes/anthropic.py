"""Anthropic, by itself and on Bedrock."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from support.providers.shapes.common import GREETING, Json, Message, Shape


class AnthropicTurns(Shape):
    """What both ways to Claude have in common."""

    max_tokens: int = Field(ge=1)
    messages: list[Message] = Field(min_length=1)

    def answer(self) -> Json:
        """Return one message."""
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": GREETING}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 9, "output_tokens": 5},
        }


class AnthropicMessages(AnthropicTurns):
    """Anthropic's own service: the version is a header."""

    model: str


class BedrockClaude(AnthropicTurns):
    """Claude on Bedrock: the model is in the path, the version in the body."""

    anthropic_version: Literal["bedrock-2023-05-31"]
