"""What a user is told when OpenSearch refuses: reason, the server's own words, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from ..constants import ConditionType, Reason
from ..errors import MLCode, MLError
from .conditions import Fact, false
from .outcome import Outcome


@dataclass(frozen=True, slots=True)
class _Advice:
    type: ConditionType
    reason: Reason
    advice: str
    stalled: bool = False


_ADVICE = {
    MLCode.NOT_SENT: _Advice(
        ConditionType.REFERENCES_RESOLVED,
        Reason.CONNECTION_NOT_READY,
        "OpenSearch cannot be reached; see the connection's conditions.",
    ),
    MLCode.TLS_FAILED: _Advice(
        ConditionType.REFERENCES_RESOLVED,
        Reason.CONNECTION_NOT_READY,
        "OpenSearch's certificate is not accepted; see the connection's conditions.",
    ),
    MLCode.UNAUTHENTICATED: _Advice(
        ConditionType.REFERENCES_RESOLVED,
        Reason.CONNECTION_NOT_READY,
        "OpenSearch does not accept the credentials of the connection; see its conditions.",
    ),
    MLCode.PLUGIN_MISSING: _Advice(
        ConditionType.REFERENCES_RESOLVED,
        Reason.CONNECTION_NOT_READY,
        "The cluster does not have the ML Commons plugin.",
    ),
    MLCode.FORBIDDEN: _Advice(
        ConditionType.SYNCED,
        Reason.PERMISSION_DENIED,
        "Give the OpenSearch user of the connection this permission (docs/opensearch-role.md).",
    ),
    MLCode.ENDPOINT_NOT_TRUSTED: _Advice(
        ConditionType.SYNCED,
        Reason.ENDPOINT_NOT_TRUSTED,
        "Add a pattern for this URL to plugins.ml_commons.trusted_connector_endpoints_regex: by hand, or "
        "with an MLClusterSettings.",
    ),
    MLCode.PRIVATE_ADDRESS: _Advice(
        ConditionType.SYNCED,
        Reason.PRIVATE_ADDRESS,
        "Set plugins.ml_commons.connector.private_ip_enabled to true, or use a public address.",
    ),
    MLCode.REJECTED: _Advice(
        ConditionType.SYNCED,
        Reason.REJECTED,
        "Change the spec; the operator tries again when it changes, and now and then by itself.",
        stalled=True,
    ),
    MLCode.NAME_TAKEN: _Advice(
        ConditionType.SYNCED,
        Reason.REJECTED,
        "A model group of this name that is not ours exists: choose another spec.name, or adopt it: "
        "spec.adopt.name.",
        stalled=True,
    ),
    MLCode.LIMIT: _Advice(
        ConditionType.SYNCED, Reason.THROTTLED, "The server runs as many tasks as it may; trying again."
    ),
    MLCode.BUSY: _Advice(ConditionType.SYNCED, Reason.UPDATING, "Somebody else changed it; trying again."),
    MLCode.IN_USE: _Advice(ConditionType.SYNCED, Reason.UPDATING, "Models still use it; trying again."),
    MLCode.NOT_FOUND: _Advice(
        ConditionType.SYNCED, Reason.UPDATING, "It is not there any more; looking again."
    ),
    MLCode.PROVIDER_FAILED: _Advice(
        ConditionType.HEALTHY,
        Reason.PROBE_FAILED,
        "These are the words of the model's provider: look at the connector's URL and credential there.",
    ),
    MLCode.AMBIGUOUS: _Advice(
        ConditionType.SYNCED,
        Reason.THROTTLED,
        "OpenSearch gave no clear answer; looking at what it has done before anything is sent again.",
    ),
}


STALLED_INTERVAL = 300.0
"""Seconds until something is tried again that only a person can mend."""

SYNCED_REASONS = frozenset(
    advice.reason.value for advice in _ADVICE.values() if advice.type is ConditionType.SYNCED
)


def outcome(error: MLError) -> Outcome:
    """Return when to try again."""
    if _ADVICE[error.code].stalled:
        return Outcome(requeue_after=STALLED_INTERVAL)
    return Outcome(retry=True, requeue_after=error.retry_after)


def fact(error: MLError, *, doing: str) -> Fact:
    """Translate a refusal into the condition that shows it; `doing` completes "Could not …"."""
    advice = _ADVICE[error.code]
    words = f"Could not {doing}: {error.message.rstrip('.')}. {advice.advice}"
    return false(advice.type, advice.reason, words, stalled=advice.stalled)
