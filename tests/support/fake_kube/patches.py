"""The two patch formats that kopf and the operator send, applied to a copy."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch

from .refusals import invalid

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"


def apply_patch(content_type: str, document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return the patched document. A JSON patch that does not fit, or whose test fails, is a 422."""
    if content_type == MERGE:
        return merged(document, patch)
    try:
        result: dict[str, Any] = jsonpatch.apply_patch(document, patch)
    except jsonpatch.JsonPatchException:
        raise invalid("the server rejected our request due to an error in our request") from None
    return result


def merged(document: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7386)."""
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key), value)
        else:
            result[key] = copy.deepcopy(value)
    return result
