"""`spec.extra`: request fields that the kinds have no names for, sent beside the typed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..constants import ConditionType, Reason
from .conditions import Fact, false

Typed = Mapping[str, frozenset[str]]
"""Names that are not for `extra`: whole fields, or only these fields within."""

_WHOLE: Final[frozenset[str]] = frozenset()

CONNECTOR: Final[Typed] = {
    **dict.fromkeys(
        (
            "name",
            "description",
            "version",
            "protocol",
            "parameters",
            "credential",
            "actions",
            "access_mode",
            "backend_roles",
            "add_all_backend_roles",
            "connector_id",
        ),
        _WHOLE,
    ),
    "client_config": frozenset(
        {
            "max_connection",
            "connection_timeout",
            "read_timeout",
            "retry_backoff_millis",
            "max_retry_times",
            "retry_backoff_policy",
            "skip_ssl_verification",
        }
    ),
}
"""The create request of a connector (`MLCreateConnectorInput` of ml-commons)."""

MODEL: Final[Typed] = {
    **dict.fromkeys(
        (
            "name",
            "description",
            "version",
            "function_name",
            "connector_id",
            "connector",
            "model_group_id",
            "model_id",
            "is_enabled",
            "guardrails",
        ),
        _WHOLE,
    ),
    "deploy_setting": frozenset({"is_auto_deploy_enabled", "model_ttl_minutes"}),
    "rate_limiter": frozenset({"limit", "unit"}),
    "interface": frozenset({"input", "output"}),
}
"""The requests for a model (`MLRegisterModelInput`, `MLUpdateModelInput` of ml-commons)."""


def clash(extra: Mapping[str, Any], typed: Typed) -> Fact | None:
    """Return InvalidSpec when `extra` names what the spec has a field for, or what the operator sets."""
    names = []
    for name, value in extra.items():
        inner = typed.get(name)
        if inner is None:
            continue
        if inner and isinstance(value, Mapping):
            names += [f"{name}.{each}" for each in value if each in inner]
        else:
            names.append(name)
    if not names:
        return None
    words = (
        f"spec.extra sets {', '.join(sorted(names))}: the spec has a field of its own for that, or the "
        "operator sets it. Take it out of spec.extra."
    )
    return false(ConditionType.SYNCED, Reason.INVALID_SPEC, words, stalled=True)


def merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with what is extra; maps are merged."""
    whole = dict(body)
    for name, value in extra.items():
        before = whole.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            whole[name] = merged(before, value)
        else:
            whole[name] = value
    return whole
