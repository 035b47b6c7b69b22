"""What most requests are made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]
GREETING = "Hello!"


class Shape(BaseModel):
    """A JSON object of which nothing is guessed: no field more, no number as text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Message(Shape):
    """A turn in OpenAI's form, which most others took over."""

    role: Literal["user", "assistant", "system"]
    content: str = Field(min_length=1)


class Text(Shape):
    """A piece of text, in Bedrock's Converse and in Gemini."""

    text: str = Field(min_length=1)
