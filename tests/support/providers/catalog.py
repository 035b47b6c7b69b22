"""Which example calls which operation of which provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pydantic import BaseModel

from support.providers.credentials import Check, bearer, header, no_key, signed_for
from support.providers.shapes import aleph_alpha, amazon, anthropic, cohere, google, openai


class Request(Protocol):
    """A parsed request that knows its answer."""

    def answer(self) -> Any:
        """Return the provider's answer."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its path with the query, who may call it, what it takes. All of them are POST."""

    path: str
    credential: Check
    shape: type[BaseModel]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers that it demands, by lower-case name."""
    content_type: str = "application/json"


def _bedrock(model: str, action: str, shape: type[BaseModel]) -> Operation:
    return Operation(f"/model/{model}/{action}", signed_for("bedrock"), shape)


def _azure(rest: str, shape: type[BaseModel]) -> Operation:
    path = f"/openai/deployments/{rest}?api-version=2024-10-21"
    return Operation(path, header("api-key", "azure_key"), shape)


CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
GOOGLE_MODEL = "/v1/projects/my-project/locations/us-central1/publishers/google/models/text-embedding-005"

OPERATIONS: Final[Mapping[str, Operation]] = {
    "aleph-alpha-embedding": Operation(
        "/semantic_embed", bearer("aleph_alpha_token"), aleph_alpha.SemanticEmbed
    ),
    "anthropic-chat": Operation(
        "/v1/messages",
        header("x-api-key", "anthropic_key"),
        anthropic.AnthropicMessages,
        {"anthropic-version": "2023-06-01"},
    ),
    "azure-openai-chat": _azure("my-chat-deployment/chat/completions", openai.DeploymentChat),
    "azure-openai-embedding": _azure("my-embedding-deployment/embeddings", openai.DeploymentEmbeddings),
    "bedrock-claude": _bedrock(CLAUDE, "invoke", anthropic.BedrockClaude),
    "bedrock-cohere-embedding": _bedrock("cohere.embed-multilingual-v3", "invoke", cohere.BedrockCohereEmbed),
    "bedrock-converse": _bedrock("amazon.nova-lite-v1:0", "converse", amazon.Converse),
    "bedrock-titan-embedding": _bedrock("amazon.titan-embed-text-v2:0", "invoke", amazon.TitanEmbed),
    "cohere-chat": Operation("/v2/chat", bearer("cohere_key"), cohere.CohereChat),
    "cohere-embedding": Operation("/v2/embed", bearer("cohere_key"), cohere.CohereEmbed),
    "cohere-rerank": Operation("/v2/rerank", bearer("cohere_key"), cohere.CohereRerank),
    "comprehend-language": Operation(
        "/",
        signed_for("comprehend"),
        amazon.LanguageOf,
        {"x-amz-target": "Comprehend_20171127.DetectDominantLanguage"},
        "application/x-amz-json-1.1",
    ),
    "deepseek-chat": Operation("/v1/chat/completions", bearer("deepseek_key"), openai.Chat),
    "gemini-chat": Operation(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        header("x-goog-api-key", "gemini_key"),
        google.GenerateContent,
    ),
    "gemini-embedding": Operation(
        "/v1beta/models/gemini-embedding-001:embedContent",
        header("x-goog-api-key", "gemini_key"),
        google.EmbedContent,
    ),
    "ollama-chat": Operation("/v1/chat/completions", no_key, openai.Chat),
    "ollama-embedding": Operation("/v1/embeddings", no_key, openai.Embeddings),
    "openai-chat": Operation("/v1/chat/completions", bearer("openai_key"), openai.Chat),
    "openai-compatible-chat": Operation("/v1/chat/completions", bearer("api_key"), openai.Chat),
    "openai-compatible-embedding": Operation("/v1/embeddings", bearer("api_key"), openai.Embeddings),
    "openai-embedding": Operation("/v1/embeddings", bearer("openai_key"), openai.Embeddings),
    "sagemaker-embedding": Operation(
        "/endpoints/my-embedding-endpoint/invocations", signed_for("sagemaker"), amazon.PlainTexts
    ),
    "vertex-ai-embedding": Operation(f"{GOOGLE_MODEL}:predict", bearer("access_token"), google.VertexPredict),
}
