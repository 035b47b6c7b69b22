"""Each row of the error table, with the answers of the real servers that it was made for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.opensearch.error_table import TABLE
from opensearch_ml_operator.opensearch.errors import classify, mask, shorten
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.schemas import ErrorBody, parse_error, parse_gateway
from support.error_answers import CASES, ID, ILLEGAL, STATUS, Case, body, gateway


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operation}-{case.status}-{case.code}")
def test_an_answer_means(case: Case) -> None:
    error = classify(case.operation, case.status, case.answer)
    assert (error.code, error.status, error.ids) == (case.code, case.status, case.ids)
    assert error.retry_after == case.retry_after


def test_every_row_has_a_case() -> None:
    used = set()
    for case in CASES:
        parsed = parse_error(case.answer) or parse_gateway(case.answer)
        parsed = parsed or ErrorBody(reason=case.answer.decode())
        used |= {
            next((n for n, row in enumerate(TABLE) if row.fits(case.operation, case.status, parsed)), None)
        }
    assert used >= set(range(len(TABLE)))


@pytest.mark.parametrize(
    ("operation", "status", "answer", "code"),
    [
        # Refusals that no row knows
        (Op.CREATE_CONNECTOR, 400, body(400, ILLEGAL, "Connector name is null"), MLCode.REJECTED),
        (
            Op.UPDATE_MODEL,
            400,
            body(400, "parse_exception", "Can't get text on a VALUE_NULL"),
            MLCode.REJECTED,
        ),
        (Op.DEPLOY_MODEL, 400, body(400, ILLEGAL, "no eligible node found"), MLCode.REJECTED),
        (Op.GET_GROUP, 405, b'{"error":"Incorrect HTTP method","status":405}', MLCode.REJECTED),
        (Op.UPDATE_MODEL, 409, body(409, STATUS, "something else"), MLCode.BUSY),
        (Op.GET_MODEL, 403, b"<html>Forbidden</html>", MLCode.FORBIDDEN),
        # Nothing is known of what was done
        (
            Op.REGISTER_MODEL,
            429,
            body(
                429,
                "rejected_execution_exception",
                "rejected execution of org.opensearch.ml.task.MLTaskManager$$Lambda@1",
            ),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.UPDATE_MODEL,
            500,
            body(
                500,
                "runtime_exception",
                f"Successfully update ML model index with model ID {ID} but update model cache was failed on "
                "following nodes [n3], please retry or redeploy model manually.",
            ),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.CREATE_CONNECTOR,
            500,
            body(500, STATUS, "Failed to put data object in index .plugins-ml-connector"),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.GET_MODEL,
            500,
            body(500, STATUS, "Failed to get data object from index .plugins-ml-model"),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.DELETE_CONNECTOR,
            500,
            body(500, STATUS, "Failed to delete data object from index .plugins-ml-connector"),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.REGISTER_MODEL,
            503,
            body(503, "unavailable_shards_exception", "primary shard is not active Timeout: [1m]"),
            MLCode.AMBIGUOUS,
        ),
        (
            Op.REGISTER_MODEL,
            500,
            body(500, STATUS, "Failed to update data object in index .plugins-ml-task"),
            MLCode.AMBIGUOUS,
        ),
        (Op.GET_MODEL, 404, b"<html>no such page</html>", MLCode.AMBIGUOUS),
        (Op.GET_MODEL, 404, body(404, STATUS, "something else is not there"), MLCode.AMBIGUOUS),
        (Op.GET_MODEL, 400, b"<html>bad gateway</html>", MLCode.AMBIGUOUS),
        (Op.CREATE_GROUP, 400, gateway("Credential should be scoped to"), MLCode.AMBIGUOUS),
        (Op.GET_MODEL, 403, gateway("", "Message"), MLCode.FORBIDDEN),
        (Op.GET_MODEL, 403, gateway("Anything else"), MLCode.FORBIDDEN),
        (Op.GET_MODEL, 403, b'["message"]', MLCode.FORBIDDEN),
        (Op.GET_MODEL, 408, body(408, STATUS, "too slow"), MLCode.AMBIGUOUS),
        (Op.CREATE_GROUP, 302, b"", MLCode.AMBIGUOUS),
        (Op.CREATE_GROUP, 502, b"", MLCode.AMBIGUOUS),
    ],
)
def test_without_a_row(operation: Op, status: int, answer: bytes, code: MLCode) -> None:
    assert classify(operation, status, answer).code is code


@pytest.mark.parametrize(
    "words",
    [
        "The security token included in the request is invalid.",
        "The security token included in the request is expired",
        "The request signature we calculated does not match the signature you provided.",
        "Signature expired: 20260101T000000Z is now earlier than 20260101T000100Z",
        "Signature not yet current: 20260101T001200Z is still later than 20260101T001100Z",
        "Credential should be scoped to a valid region, not 'eu-west-1'. ",
        "Credential should be scoped to correct service: 'es'. ",
        "Missing Authentication Token",
        "Authorization header requires 'Credential' parameter.",
    ],
)
def test_what_aws_says_of_a_signature(words: str) -> None:
    error = classify(Op.UPDATE_MODEL, 403, gateway(words))
    assert (error.code, error.message) == (MLCode.UNAUTHENTICATED, words.strip())


def test_the_message_is_the_servers_reason_on_one_short_line() -> None:
    words = "Validation Failed: 1: name\n is   wrong; " + "x" * 400
    error = classify(Op.CREATE_CONNECTOR, 400, body(400, "action_request_validation_exception", words))
    assert error.message.startswith("Validation Failed: 1: name is wrong; xxx")
    assert len(error.message) == 300
    assert error.message.endswith("…")


def test_a_providers_answer_is_left_long_enough_to_be_masked_before_it_is_cut() -> None:
    words = "Error from remote service: " + "x" * 280 + "the-key-of-the-provider"
    assert classify(Op.PREDICT, 401, body(401, STATUS, words)).message == words
    assert len(classify(Op.PREDICT, 401, body(401, STATUS, words * 100)).message) == 3000


def test_a_missing_permission_is_named() -> None:
    error = classify(CASES[1].operation, CASES[1].status, CASES[1].answer)
    assert "cluster:admin/opensearch/ml/connectors/get" in error.message


def test_an_answer_without_words_says_what_was_asked() -> None:
    assert classify(Op.CREATE_GROUP, 502, b"").message == "create-group was answered with HTTP 502"
    assert "redirect" in classify(Op.CREATE_GROUP, 302, b"").message
    assert "credentials" in classify(Op.GET_INFO, 401, b"Unauthorized").message


def test_a_body_that_is_no_json_never_gets_into_the_message() -> None:
    assert "secret" not in classify(Op.GET_MODEL, 500, b"<html>the secret page</html>").message


def test_secrets_are_masked_before_the_message_is_cut() -> None:
    secret = "s3cret-" + "y" * 50
    words = "x" * 280 + secret
    error = classify(Op.CREATE_CONNECTOR, 400, body(400, ILLEGAL, words), secrets=[secret])
    assert error.message == "x" * 280 + "***"


def test_a_retry_after_header_wins_over_the_words() -> None:
    key_case = next(case for case in CASES if case.retry_after is not None)
    error = classify(key_case.operation, key_case.status, key_case.answer, retry_after=3.0)
    assert error.retry_after == 3.0


def test_masking() -> None:
    assert mask("a longer-secret here", ["longer", "longer-secret"]) == "a *** here"
    assert mask("an abc here", ["abc", ""]) == "an abc here"


def test_shortening() -> None:
    assert shorten(" a\n b ") == "a b"


@given(st.sampled_from(Op), st.integers(300, 599), st.binary(max_size=200))
def test_no_answer_is_too_odd(operation: Op, status: int, answer: bytes) -> None:
    assert classify(operation, status, answer).status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "type", "reason"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(Op), st.integers(300, 599), JSON)
def test_no_json_is_too_odd(operation: Op, status: int, answer: object) -> None:
    error = classify(operation, status, json.dumps({"error": answer}).encode())
    assert error.code in MLCode
    assert len(error.message) <= 300
