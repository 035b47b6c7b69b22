"""Rules as cases that both judges must decide alike, and those of a connector, alone or inside a model."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final


class _Absent(enum.Enum):
    FIELD = "absent"


ABSENT: Final = _Absent.FIELD
PREDICT: Final = {"type": "predict", "method": "POST", "url": "https://models.example/v1/embeddings"}


@dataclass(frozen=True, slots=True)
class RuleCase:
    """A rule, and changes to the minimal spec that keep and break it."""

    kind: str
    message: str
    keeps: tuple[Mapping[str, Any], ...]
    breaks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class UpdateCase:
    """A rule about updates: from `before`, the changes to the minimal spec that keep and break it."""

    kind: str
    message: str
    before: Mapping[str, Any]
    keeps: tuple[Mapping[str, Any], ...]
    breaks: tuple[Mapping[str, Any], ...]


def durations(kind: str, path: str, words: str, keeps: tuple[str, ...], breaks: tuple[str, ...]) -> RuleCase:
    outer, _, field = path.rpartition(".")

    def change(value: str) -> Mapping[str, Any]:
        return {outer: {field: value}} if outer else {field: value}

    return RuleCase(kind, f"{field} must be {words}", tuple(map(change, keeps)), tuple(map(change, breaks)))


def inside(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the changes that give a RemoteModel such a connector of its own."""
    connector = {"actions": [PREDICT], **changes}
    return {"connectorRef": ABSENT, "connectionRef": {"name": "main"}, "connector": connector}


def connector_rules(kind: str, wrap: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Iterator[RuleCase]:
    for case in (
        RuleCase(
            kind,
            "exactly one of secretKeyRef, value must be set",
            keeps=(
                {"credentials": [{"name": "key", "secretKeyRef": {"name": "provider", "key": "api-key"}}]},
                {"credentials": [{"name": "roleArn", "value": "arn:aws:iam::123456789012:role/ml"}]},
            ),
            breaks=(
                {"credentials": [{"name": "key"}]},
                {"credentials": [{"name": "k", "value": "v", "secretKeyRef": {"name": "p", "key": "k"}}]},
            ),
        ),
        RuleCase(
            kind,
            "at most one of credentials, credentialsFrom may be set",
            keeps=(
                {"credentialsFrom": {"secretRef": {"name": "provider"}}},
                {"credentialsFrom": {"secretRef": {"name": "provider"}}, "credentials": []},
            ),
            breaks=(
                {
                    "credentialsFrom": {"secretRef": {"name": "provider"}},
                    "credentials": [{"name": "region", "value": "eu-west-1"}],
                },
            ),
        ),
        durations(kind, "clientConfig.connectionTimeout", "between 1s and 1h", ("1s", "1h"), ("0s", "3601s")),
        durations(kind, "clientConfig.readTimeout", "between 1s and 1h", ("1m30s", "60m"), ("0m", "2h")),
        durations(kind, "clientConfig.retryBackoff", "between 1ms and 1h", ("1ms", "1h"), ("0.5ms", "2h")),
    ):
        yield RuleCase(
            kind, case.message, keeps=tuple(map(wrap, case.keeps)), breaks=tuple(map(wrap, case.breaks))
        )
