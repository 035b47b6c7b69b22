"""What an answer, or the lack of one, says about a model."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.probe import Expectation
from opensearch_ml_operator.reconcilers.probe.verdict import (
    Verdict,
    find,
    of_answer,
    of_error,
    vector_length,
)
from support.memory_opensearch import embedding

CHAT: dict[str, Any] = {
    "inference_results": [
        {
            "output": [
                {"name": "response", "dataAsMap": {"choices": [{"message": {"content": "private words"}}]}}
            ],
            "status_code": 200,
        }
    ]
}
CONTENT = "inference_results[0].output[0].dataAsMap.choices[0].message.content"


def verdict(found: Verdict) -> tuple[bool | None, str]:
    return found.fact.holds, found.fact.reason.value


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [
        pytest.param(embedding(256), None, "Succeeded", id="anything-goes"),
        pytest.param(CHAT, None, "Succeeded", id="anything-goes-without-a-vector"),
        pytest.param(embedding(256), {"dimension": 256}, "Succeeded", id="dimension"),
        pytest.param(CHAT, {"jsonPath": CONTENT}, "Succeeded", id="path"),
        pytest.param(embedding(256), {"dimension": 384}, "UnexpectedOutput", id="another-dimension"),
        pytest.param(CHAT, {"dimension": 384}, "UnexpectedOutput", id="no-vector"),
        pytest.param(embedding(4), {"jsonPath": CONTENT}, "UnexpectedOutput", id="no-such-path"),
        pytest.param({"inference_results": []}, {"dimension": 1}, "UnexpectedOutput", id="no-results"),
    ],
)
def test_an_answer_is_compared_with_what_is_expected(
    answer: dict[str, Any], expected: dict[str, Any] | None, reason: str
) -> None:
    expectation = Expectation.model_validate(expected) if expected is not None else None
    assert verdict(of_answer(answer, expectation)) == (reason == "Succeeded", reason)


def test_both_numbers_are_told_and_the_content_never() -> None:
    other = of_answer(embedding(4), Expectation(dimension=256))
    assert "4" in other.fact.message
    assert "256" in other.fact.message
    assert other.dimension == 4
    wrong = of_answer(CHAT, Expectation(json_path="inference_results[0].nothing", dimension=3))
    assert "inference_results[0].nothing" in wrong.fact.message
    assert "private words" not in wrong.fact.message


@pytest.mark.parametrize("status", [404, 500.0])
def test_a_status_inside_of_a_good_answer_counts(status: float) -> None:
    answer = {"inference_results": [{"output": [], "status_code": status}]}
    found = of_answer(answer, None)
    assert verdict(found) == (False, "ProbeFailed")
    assert f"{status:.0f}" in found.fact.message


@pytest.mark.parametrize(
    ("data", "length"),
    [
        ([0.5, 1, -2.0], 3),
        ([[0.5, 1], [2, 3]], 2),
        ([], None),
        ([[]], None),
        (["a", "b"], None),
        ([True, False], None),
        ([1, None], None),
        ({"0": 1}, None),
        (None, None),
    ],
)
def test_a_vector_is_a_list_of_numbers(data: Any, length: int | None) -> None:
    assert vector_length(data) == length


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [[1, 2], {"c-d": 3}], "e_1": None}),
        ("a.b[0][1]", 2),
        ("a.b[1].c-d", 3),
        ("a.b[2]", None),
        ("a.b.c", None),
        ("a[0]", None),
        ("a.e_1", None),
        ("x.y[0]", None),
    ],
)
def test_a_path_is_followed(path: str, found: Any) -> None:
    assert find({"a": {"b": [[1, 2], {"c-d": 3}], "e_1": None}}, path) == found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(
            MLError(MLCode.PROVIDER_FAILED, 'Error from remote service: {"error": "bad key"}', status=401),
            "provider, not OpenSearch, answered the probe with status 401: {",
            id="provider-refuses",
        ),
        pytest.param(
            MLError(
                MLCode.PROVIDER_FAILED,
                "Error communicating with remote model: Connection refused: /127.0.0.1:9",
                status=500,
            ),
            "OpenSearch got no answer from the model's provider: Error communicating",
            id="provider-is-away",
        ),
        pytest.param(
            MLError(MLCode.FORBIDDEN, "no permissions for [cluster:admin/opensearch/ml/predict]", status=403),
            "probe-role.json",
            id="no-permission",
        ),
        pytest.param(
            MLError(MLCode.AMBIGUOUS, "predict got no answer in time from http://localhost:9200"),
            "spec.timeout.read",
            id="no-answer",
        ),
        pytest.param(
            MLError(MLCode.AMBIGUOUS, "Fail to execute predict in aws connector", status=500),
            "The probe failed: Fail to execute",
            id="server-fails",
        ),
        pytest.param(
            MLError(MLCode.REJECTED, 'Invalid payload: {"input": ${parameters.input}}', status=400),
            "requestBody",
            id="probe-does-not-fit",
        ),
        pytest.param(
            MLError(MLCode.PRIVATE_ADDRESS, "Remote inference host name has private ip address: localhost"),
            "private_ip_enabled",
            id="private-address",
        ),
        pytest.param(
            MLError(MLCode.LIMIT, "Request is throttled at model level.", status=429),
            "The probe failed: Request is throttled at model level.",
            id="throttled",
        ),
    ],
)
def test_it_is_said_who_has_failed(error: MLError, words: str) -> None:
    found = of_error(error, str)
    assert verdict(found) == (False, "ProbeFailed")
    assert words in found.fact.message


def test_words_are_masked_before_they_are_shortened() -> None:
    key = "key-of-the-provider"
    text = "Error from remote service: " + "x" * 265 + key + "y" * 400
    message = of_error(
        MLError(MLCode.PROVIDER_FAILED, text, status=401), lambda words: words.replace(key, "***")
    ).fact.message
    assert key[:4] not in message
    assert len(message) < 500


def test_other_words_for_the_same_failure_are_no_news() -> None:
    kinds = {
        of_error(MLError(MLCode.PROVIDER_FAILED, f"Error from remote service: {n}", status=status), str).kind
        for n, status in enumerate((429, 429, 401))
    }
    assert len(kinds) == 2
