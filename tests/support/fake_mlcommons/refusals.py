"""The errors of the server, in its own words and shapes."""

from __future__ import annotations

from typing import Any

SAFE_TEXT = "can only contain letters, numbers, spaces, and basic punctuation (.,!?():@-_'/\")"


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure of the fake
    """Ends a request with an error answer; `body` is JSON, or text for what Security refuses."""

    def __init__(self, status: int, body: dict[str, Any] | str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def refused(status: int, reason: str, type_: str = "status_exception") -> Refused:
    """Build the usual shape."""
    cause = {"type": type_, "reason": reason}
    return Refused(status, {"error": {"root_cause": [cause], **cause}, "status": status})


def illegal(reason: str) -> Refused:
    """IllegalArgumentException."""
    return refused(400, reason, "illegal_argument_exception")


def invalid(problem: str) -> Refused:
    """ActionRequestValidationException."""
    return refused(400, f"Validation Failed: 1: {problem};", "action_request_validation_exception")


def unknown_route(method: str, path: str) -> Refused:
    """No handler: an error that is a string, without a status in it."""
    return Refused(400, {"error": f"no handler found for uri [{path}] and method [{method}]"})


def wrong_method(method: str, path: str, allowed: list[str]) -> Refused:
    """Refuse a method on a path that exists for others."""
    words = f"Incorrect HTTP method for uri [{path}] and method [{method}], allowed: [{', '.join(allowed)}]"
    return Refused(405, {"error": words, "status": 405})


def unauthorized() -> Refused:
    """No or wrong credentials."""
    return Refused(401, "Unauthorized")


def forbidden(permission: str, user: str) -> Refused:
    """Refuse a role that lacks a permission."""
    words = (
        f"no permissions for [{permission}] and User [name={user}, backend_roles=[], requestedTenant=null]"
    )
    return refused(403, words, "security_exception")


def forbidden_profile(permission: str, user: str) -> Refused:
    """Refuse the profile, which wraps it in a 500 of its own (RestMLProfileAction)."""
    words = (
        f"no permissions for [{permission}] and User [name={user}, backend_roles=[], requestedTenant=null]"
    )
    return Refused(500, {"error": "Failed to get ML node level profile", "exception": words})
