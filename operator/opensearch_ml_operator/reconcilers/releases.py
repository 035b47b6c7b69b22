"""Which release of OpenSearch knows which field: what a server would drop without a word is refused here.

An older server ignores a field of a request that it does not know, and shows an object that lacks it; so
nothing of such a spec is sent. The source of each row is the class of ml-commons that reads the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..constants import ConditionType, Reason
from ..models.snapshot import ObjectKey, Snapshot
from .conditions import Fact, false
from .session import Ports

Release = tuple[int, int]

_DISGUISE: Final = "7.10.2"
"""What clusters with compatibility.override_main_response_version call themselves, whatever they are."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a spec: its path, the release that brought it, and the class that reads it.

    An older server does by itself what the `default` says. With `only`, other values are older than these.
    """

    path: str
    since: Release
    source: str
    default: Any = None
    only: tuple[str, ...] = ()


MODEL: Final = (
    Field("enabled", (2, 12), "MLUpdateModelInput", default=True),
    Field("rateLimiter", (2, 12), "MLRateLimiter"),
    Field("guardrails", (2, 13), "Guardrails"),
    Field("guardrails.type", (2, 15), "ModelGuardrail", only=("model",)),
    Field("deploySetting.autoDeployEnabled", (2, 13), "MLDeploySetting", default=True),
    Field("deploySetting.ttlMinutes", (2, 14), "MLDeploySetting", default=-1),
    Field("interface", (2, 14), "MLModel"),
)
CONNECTOR: Final = (
    Field("clientConfig", (2, 13), "ConnectorClientConfig"),
    Field("clientConfig.retryBackoff", (2, 15), "ConnectorClientConfig"),
    Field("clientConfig.maxRetryTimes", (2, 15), "ConnectorClientConfig"),
    Field("clientConfig.retryBackoffPolicy", (2, 15), "ConnectorClientConfig"),
    Field("clientConfig.skipSSLVerification", (3, 5), "ConnectorClientConfig", default=False),
    Field("actions.type", (2, 16), "ConnectorAction.ActionType", only=("batch_predict",)),
    Field(
        "actions.type",
        (2, 17),
        "ConnectorAction.ActionType",
        only=("cancel_batch_predict", "batch_predict_status"),
    ),
    Field("actions.method", (3, 5), "ConnectorAction", only=("PUT", "DELETE")),
)
TABLES: Final[Mapping[str, tuple[Field, ...]]] = {
    "RemoteModel": (
        *MODEL,
        *(replace(one, path=f"connector.{one.path}") for one in CONNECTOR),
    ),
    "MLConnector": CONNECTOR,
}


def unsupported(kind: str, spec: Mapping[str, Any], version: str | None) -> Fact | None:
    """Return FieldNotSupported when the spec names what this server does not know; None when it may be sent.

    `version` is that of the last health check; nothing is refused as long as it is unknown.
    """
    release = release_of(version)
    if release is None:
        return None
    newer = [field for field in TABLES.get(kind, ()) if field.since > release and _is_news(field, spec)]
    if not newer:
        return None
    names = ", ".join(f"spec.{field.path} needs {field.since[0]}.{field.since[1]}" for field in newer)
    words = (
        f"OpenSearch {version} is too old for a field: {names}. Nothing of this spec is sent; take the field "
        "out, or upgrade the cluster."
    )
    return false(ConditionType.SYNCED, Reason.FIELD_NOT_SUPPORTED, words, stalled=True)


def refused(ports: Ports, snapshot: Snapshot, connection: ObjectKey) -> Fact | None:
    """Compare an object's spec with the version that its connection has found."""
    known = ports.catalog.get(connection)
    version = known.status.get("version") if known is not None else None
    return unsupported(snapshot.key.kind, snapshot.spec, version if isinstance(version, str) else None)


def release_of(version: str | None) -> Release | None:
    """Return (major, minor); None for what is no release of OpenSearch."""
    match = re.match(r"(\d+)\.(\d+)\.", version or "")
    return None if match is None or version == _DISGUISE else (int(match[1]), int(match[2]))


def _is_news(field: Field, spec: Mapping[str, Any]) -> bool:
    return any(
        value in field.only if field.only else value != field.default
        for value in _values(spec, field.path.split("."))
    )


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what stands at a path, in every item of a list on the way."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        yield from _values(value.get(path[0]), path[1:])
