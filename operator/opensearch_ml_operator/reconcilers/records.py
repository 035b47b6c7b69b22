"""Spec and status as typed values; a broken stored document is a condition or a new start, never a crash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..constants import ConditionType, Reason
from ..errors import OperatorError
from .conditions import Fact, false

_PRECIOUS = frozenset(
    {
        "id",
        "origin",
        "pending",
        "previous",
        "candidate",
        "trial",
        "revision",
        "ownedGroupID",
        "modelGroupID",
        "connection",
        "trustedEndpoints",
        "retained",
    }
)
_FAR = 3000

ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_spec(model: type[ModelT], spec: Mapping[str, Any]) -> ModelT | Fact:
    """Read a spec; what the schema of the API server should have refused becomes InvalidSpec.

    The message names the fields, never their values.
    """
    try:
        return model.model_validate(dict(spec.items()))
    except ValidationError as error:
        problems = "; ".join(f"spec.{_path(one['loc'])}: {one['msg']}" for one in error.errors()[:5])
        return false(ConditionType.SYNCED, Reason.INVALID_SPEC, f"Mend the spec: {problems}.", stalled=True)


def parse_status(model: type[ModelT], status: Mapping[str, Any]) -> ModelT:
    """Read a status; fields that cannot be read count as absent, the others are kept.

    Raises OperatorError when it is one of those that name remote objects: taken for absent, they would be
    created again.
    """
    kept = dict(status.items())
    while True:
        try:
            return model.model_validate(kept)
        except ValidationError as error:
            for one in error.errors():
                field = str(one["loc"][0])
                if field in _PRECIOUS:
                    raise OperatorError(
                        f"status.{field} cannot be read; mend it, or delete the object"
                    ) from None
                kept.pop(field, None)


def moment(text: str | None) -> datetime | None:
    """Read a time from a status; None for what is none, and for what lies outside of all reason."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return read if read.tzinfo is not None and read.year < _FAR else None


def digest(value: Any) -> str:
    """Return a short stable hash of a JSON value. Never give it a secret: the result is public."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def timestamp(moment: datetime) -> str:
    """Return the time as Kubernetes writes it: UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
