"""The refusals of the API server, as exceptions that carry its `Status` answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class RefusedError(Exception):
    """An answer other than 2xx; `causes` are the refused fields."""

    def __init__(self, status: int, reason: str, message: str, causes: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)

    def body(self) -> dict[str, Any]:
        """Return the `Status` object."""
        causes = [
            {"reason": "FieldValueInvalid", "message": self.message, "field": path} for path in self.causes
        ]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": {"causes": causes} if causes else {},
            "code": self.status,
        }


def not_found(plural: str, name: str) -> RefusedError:
    return RefusedError(404, "NotFound", f'{plural} "{name}" not found')


def conflict(plural: str, name: str) -> RefusedError:
    return RefusedError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )


def expired() -> RefusedError:
    return RefusedError(410, "Expired", "The provided resource version or continue parameter is too old")


def invalid(message: str, *fields: str) -> RefusedError:
    return RefusedError(422, "Invalid", message, fields)
