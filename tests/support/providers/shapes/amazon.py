"""Amazon's own: Titan and Converse on Bedrock, Comprehend, an endpoint on SageMaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from support.providers.shapes.common import GREETING, Json, Shape, Text
from support.providers.vectors import vector


class TitanEmbed(Shape):
    """Amazon Titan Text Embeddings V2."""

    input_text: str = Field(alias="inputText", min_length=1)
    dimensions: Literal[256, 512, 1024] = 1024
    normalize: bool = True

    def answer(self) -> Json:
        """Return one vector, twice as the service does."""
        one = vector(self.input_text)
        return {"embedding": one, "embeddingsByType": {"float": one}, "inputTextTokenCount": 5}


class ConverseMessage(Shape):
    """A turn in Bedrock's own form."""

    role: Literal["user", "assistant"]
    content: list[Text] = Field(min_length=1)


class InferenceConfig(Shape):
    """How Converse is to answer."""

    max_tokens: int = Field(alias="maxTokens", ge=1)
    temperature: float = Field(ge=0, le=1)


class Converse(Shape):
    """Bedrock's own form for all chat models."""

    messages: list[ConverseMessage] = Field(min_length=1)
    inference_config: InferenceConfig = Field(alias="inferenceConfig")

    def answer(self) -> Json:
        """Return one message."""
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": GREETING}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 9, "outputTokens": 5, "totalTokens": 14},
        }


class LanguageOf(Shape):
    """Comprehend's DetectDominantLanguage."""

    text: str = Field(alias="Text", min_length=1)

    def answer(self) -> Json:
        """Return one language."""
        return {"Languages": [{"LanguageCode": "en", "Score": 0.99}]}


class PlainTexts(RootModel[list[str]]):
    """A SageMaker endpoint that takes a bare list."""

    def answer(self) -> list[list[float]]:
        """Return a bare list of vectors."""
        return [vector(each) for each in self.root]
