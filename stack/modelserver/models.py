"""The answers of the models, in the form of OpenAI's API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import wordllama

DIMENSIONS = 256

Embedder = Callable[[Sequence[str]], list[list[float]]]


class BadRequestError(Exception):
    """The request is not one that the model understands."""


def load_embedder() -> Embedder:
    """Load the embedding model, whose weights and tokenizer are inside its package."""
    package = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=package, disable_download=True)

    def embed(texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = model.embed(list(texts), norm=True).tolist()
        return vectors

    return embed


def embeddings(body: dict[str, Any], embed: Embedder) -> dict[str, Any]:
    """Return the answer of POST /v1/embeddings. Raises BadRequestError."""
    texts = body.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequestError("'input' must be a string or a list of strings")
    if body.get("dimensions", DIMENSIONS) != DIMENSIONS:
        raise BadRequestError(f"this model has {DIMENSIONS} dimensions")
    vectors = embed(texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "model": body.get("model", "wordllama"),
        "usage": _usage(" ".join(texts), ""),
    }


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of POST /v1/chat/completions: it repeats the last message. Raises BadRequestError."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise BadRequestError("'messages' must be a list of messages")
    question = str(messages[-1].get("content", ""))
    answer = f"You said: {question}"
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 0,  # the same answer every time
        "model": body.get("model", "chat-stub"),
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        ],
        "usage": _usage(question, answer),
    }


def error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """Return an error body in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _usage(prompt: str, completion: str) -> dict[str, int]:
    """Count words as tokens: predictable, and good enough for a test of what is passed on."""
    counts = len(prompt.split()), len(completion.split())
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
