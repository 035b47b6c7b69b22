from __future__ import annotations

import json
from typing import Any

import pytest

from opensearch_ml_operator.errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)
from opensearch_ml_operator.kube.answers import refusal

CANARY = "hunter2-canary"


def body(reason: str, **more: Any) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": CANARY, **more}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, body("BadRequest"), OperatorError),
        (401, body("Unauthorized"), KubernetesForbiddenError),
        (403, body("Forbidden"), KubernetesForbiddenError),
        (404, body("NotFound"), ObjectGoneError),
        (404, b"404 page not found\n", KubernetesUnavailableError),
        (404, b'{"reason": "NotFound"}', KubernetesUnavailableError),
        (409, body("Conflict"), StatusConflictError),
        (409, body("AlreadyExists"), StatusConflictError),
        (410, body("Expired"), KubernetesUnavailableError),
        (422, body("Invalid"), OperatorError),
        (429, body("TooManyRequests"), KubernetesUnavailableError),
        (500, b"\xff\x00", KubernetesUnavailableError),
        (503, b"", KubernetesUnavailableError),
        (504, body("Timeout"), KubernetesUnavailableError),
    ],
)
def test_meaning_of_a_status(status: int, answer: bytes, kind: type[OperatorError]) -> None:
    error = refusal("get secrets 'x'", status, {}, answer)
    assert type(error) is kind
    assert str(error).startswith(f"get secrets 'x': the API server answered {status}")
    assert CANARY not in str(error)


def test_reason_is_passed_on_only_as_a_word() -> None:
    assert str(refusal("get", 400, {}, body("BadRequest"))).endswith("400 BadRequest")
    assert str(refusal("get", 400, {}, body(f"see {CANARY}"))).endswith("400")


def test_refused_fields_are_named_without_their_values() -> None:
    causes = [
        {
            "reason": "FieldValueInvalid",
            "message": CANARY,
            "field": "status.conditions[0].lastTransitionTime",
        },
        {"reason": f"{CANARY}!", "message": CANARY, "field": "status.id"},
        {"reason": "FieldValueInvalid", "message": CANARY, "field": f"status {CANARY}"},
    ]
    text = str(refusal("patch", 422, {}, body("Invalid", details={"causes": causes})))
    assert text.endswith(
        "Invalid: status.conditions[0].lastTransitionTime (FieldValueInvalid), status.id (refused)"
    )


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None)]
)
def test_retry_after(header: str, seconds: float | None) -> None:
    error = refusal("get", 429, {"Retry-After": header}, b"")
    assert isinstance(error, KubernetesUnavailableError)
    assert error.retry_after == seconds
