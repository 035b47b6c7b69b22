"""What the API server's refusals mean: HTTP status and `Status` body to an error of `errors.py`.

Texts of the answer are never passed on, because they can quote what was sent; only the `reason`, a word of
a closed list, and the paths of refused fields are (Kubernetes API conventions, "Response Status Kind").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from ..errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)

_TRANSIENT: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS)
_MEANINGS: Final[Mapping[int, type[OperatorError]]] = {
    HTTPStatus.UNAUTHORIZED: KubernetesForbiddenError,
    HTTPStatus.FORBIDDEN: KubernetesForbiddenError,
    HTTPStatus.NOT_FOUND: ObjectGoneError,
    HTTPStatus.CONFLICT: StatusConflictError,
}
_HINTS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "; our credentials are not accepted",
    HTTPStatus.FORBIDDEN: "; our Role or ClusterRole lacks a rule for it, or a policy forbids it",
}
_WORD: Final = re.compile(r"[A-Za-z]{1,60}")
_FIELD: Final = re.compile(r"[\w.\[\]/<>-]{1,120}")
_MAX_FIELDS: Final = 5


def refusal(call: str, status: int, headers: Mapping[str, str], body: bytes) -> OperatorError:
    """Return the error for an answer other than 2xx; `call` says what was asked."""
    document = _status_document(body)
    reason = _reason(document)
    said = f"{call}: the API server answered {status}" + (f" {reason}" if reason else "")
    if (
        status in _TRANSIENT
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or (
            # A missing API (the CRD is gone) or a proxy on the way: proves nothing about the object.
            status == HTTPStatus.NOT_FOUND and reason != "NotFound"
        )
    ):
        return KubernetesUnavailableError(said, retry_after=_retry_after(headers))
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return OperatorError(said + _refused_fields(document))
    return _MEANINGS.get(status, OperatorError)(said + _HINTS.get(status, ""))


def _status_document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and document.get("kind") == "Status" else {}


def _reason(document: Mapping[str, Any]) -> str:
    reason = document.get("reason")
    return reason if isinstance(reason, str) and _WORD.fullmatch(reason) else ""


def _refused_fields(document: Mapping[str, Any]) -> str:
    causes = (document.get("details") or {}).get("causes") or ()
    fields = [f"{cause.get('field')} ({_reason(cause) or 'refused'})" for cause in causes if _has_path(cause)]
    return f": {', '.join(fields[:_MAX_FIELDS])}" if fields else ""


def _has_path(cause: Mapping[str, Any]) -> bool:
    return bool(_FIELD.fullmatch(str(cause.get("field"))))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
