"""What one probe shows: the answer compared with what is expected of it, or the error put into words.

Of an answer only its form gets into a message, never its content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.probe import Expectation
from .. import refusal
from ..conditions import Fact, false, true

UNUSABLE = frozenset({MLCode.NOT_SENT, MLCode.TLS_FAILED, MLCode.UNAUTHENTICATED, MLCode.PLUGIN_MISSING})
"""Errors that say nothing about the model: OpenSearch itself cannot be used."""

_WORDS = 300
_STEP = re.compile(r"[A-Za-z0-9_-]+|\[[0-9]+\]")
_VECTOR = "inference_results[0].output[0].data"
_PROVIDERS_ANSWER = "Error from remote service: "


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a probe. Two of one `kind` tell a user the same, whatever their words are."""

    fact: Fact
    kind: str
    dimension: int | None = None


def of_answer(answer: Mapping[str, Any], expected: Expectation | None) -> Verdict:
    """Judge an answer by its form."""
    status = find(answer, "inference_results[0].status_code")
    if isinstance(status, int | float) and not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
        words = f"The model's provider answered the probe with status {status:.0f}."
        return Verdict(false(ConditionType.HEALTHY, Reason.PROBE_FAILED, words), f"status {status:.0f}")
    dimension = vector_length(find(answer, _VECTOR))
    problem = _problem(answer, dimension, expected) if expected is not None else ""
    if problem:
        fact = false(ConditionType.HEALTHY, Reason.UNEXPECTED_OUTPUT, problem)
        return Verdict(fact, problem, dimension)
    return Verdict(true(ConditionType.HEALTHY, "The model answers as expected."), "answered", dimension)


def of_error(error: MLError, mask: Callable[[str], str]) -> Verdict:
    """Put a failed prediction into words; those of the provider are masked first and then shortened."""
    message = " ".join(mask(error.message).split()).rstrip(".")
    words = f"{message[: _WORDS - 1]}…" if len(message) > _WORDS else message
    fact = false(ConditionType.HEALTHY, Reason.PROBE_FAILED, _told(error, words))
    return Verdict(fact, f"{error.code.value} {error.status}")


def _told(error: MLError, words: str) -> str:  # noqa: PLR0911 - one return a kind of failure
    match error.code:
        case MLCode.PROVIDER_FAILED if words.startswith(_PROVIDERS_ANSWER):
            return (
                f"The model's provider, not OpenSearch, answered the probe with status {error.status}: "
                f"{words.removeprefix(_PROVIDERS_ANSWER)} - see URL, credential and quota of the connector."
            )
        case MLCode.PROVIDER_FAILED:
            return f"OpenSearch got no answer from the model's provider: {words}."
        case MLCode.FORBIDDEN:
            return (
                f"OpenSearch does not let the operator's user predict: {words}. Give it the role in "
                "deploy/opensearch-role/probe-role.json too, or set spec.probe.mode to Off."
            )
        case MLCode.AMBIGUOUS if error.status is None:
            return (
                f"No answer to the probe: {words}. The provider may be slower than the connection's "
                "spec.timeout.read, or answer with a status that OpenSearch does not know."
            )
        case MLCode.PRIVATE_ADDRESS | MLCode.ENDPOINT_NOT_TRUSTED:
            return refusal.fact(MLError(error.code, words), doing="probe the model").message
        case MLCode.REJECTED:
            return (
                f"OpenSearch refused the probe: {words}. Does spec.probe fit the connector's requestBody and "
                "preProcessFunction?"
            )
        case _:
            return f"The probe failed: {words}."


def find(document: Any, path: str) -> Any:
    """Follow a path of keys and [n]; None where it leads nowhere."""
    for step in _STEP.findall(path):
        if step.startswith("["):
            index = int(step[1:-1])
            document = document[index] if isinstance(document, list) and index < len(document) else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


def vector_length(data: Any) -> int | None:
    """Return the length of the first vector of numbers in a tensor's data; None when there is none."""
    while isinstance(data, list) and data and isinstance(data[0], list):
        data = data[0]
    numbers = isinstance(data, list) and data and all(type(each) in {int, float} for each in data)
    return len(data) if numbers else None


def _problem(answer: Mapping[str, Any], dimension: int | None, expected: Expectation) -> str:
    if expected.json_path is not None and find(answer, expected.json_path) is None:
        return f"The answer to the probe has nothing at spec.probe.expect.jsonPath ({expected.json_path})."
    if expected.dimension is None or dimension == expected.dimension:
        return ""
    if dimension is None:
        return (
            f"The answer to the probe has no vector of numbers in {_VECTOR}, where one of "
            f"{expected.dimension} dimensions is expected. Does the connector have a postProcessFunction?"
        )
    return f"The answer to the probe is a vector of {dimension} dimensions, not of {expected.dimension}."
