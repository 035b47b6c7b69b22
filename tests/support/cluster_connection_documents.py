"""Changes to the minimal spec of a ClusterOpenSearchConnection, for both judges (see kind_documents)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Changes: TypeAlias = Mapping[str, Any]
Cases: TypeAlias = tuple[tuple[str, tuple[Changes, ...], tuple[Changes, ...]], ...]

KIND: Final = "ClusterOpenSearchConnection"


def _selected(**selector: Any) -> Changes:
    return {"allowedNamespaces": {"selector": selector}}


def _required(**requirement: Any) -> Changes:
    return _selected(matchExpressions=[{"key": "team", **requirement}])


RULES: Final[tuple[tuple[str, tuple[Changes, ...], tuple[Changes, ...]], ...]] = (
    (
        "caRef is of no use with insecureSkipVerify",
        (
            {"tls": {"insecureSkipVerify": True, "serverName": "os"}},
            {"tls": {"caRef": {"kind": "Secret", "namespace": "ml", "name": "ca"}}},
        ),
        ({"tls": {"caRef": {"kind": "Secret", "namespace": "a", "name": "b"}, "insecureSkipVerify": True}},),
    ),
    (
        (
            "a selector needs matchLabels or matchExpressions; for every namespace:"
            " kubernetes.io/metadata.name Exists"
        ),
        (
            _selected(matchLabels={"team": "search"}),
            _selected(matchLabels={}, matchExpressions=[{"key": "team", "operator": "Exists"}]),
            {"allowedNamespaces": {}},
        ),
        (_selected(), _selected(matchLabels={}), _selected(matchExpressions=[])),
    ),
    (
        "operators In and NotIn need values, Exists and DoesNotExist have none",
        (
            _required(operator="In", values=["search", ""]),
            _required(operator="NotIn", values=["search"]),
            _required(operator="Exists", values=[]),
            _required(operator="DoesNotExist"),
        ),
        (
            _required(operator="In"),
            _required(operator="NotIn", values=[]),
            _required(operator="Exists", values=["search"]),
        ),
    ),
)
"""The message of a rule, with changes that keep and that break it."""


def with_namespaces(cases: Cases) -> Cases:
    """Return cases of the namespaced kind with the namespaces that references need here."""
    return tuple(
        (message, tuple(map(_with_namespaces, keeps)), tuple(map(_with_namespaces, breaks)))
        for message, keeps, breaks in cases
    )


def _with_namespaces(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        key: {"namespace": "platform", **inner} if key.endswith("Ref") else _with_namespaces(inner)
        for key, inner in value.items()
    }


ACCEPTED: Final[tuple[Changes, ...]] = (
    {"auth": {"basic": {"secretRef": {"namespace": "platform", "name": "operator.user"}}}},
    {"allowedNamespaces": {"names": ["team-a"]}, "allowExternalIDs": True},
    _selected(matchExpressions=[{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]),
)
REFUSED: Final[tuple[Changes, ...]] = (
    {"auth": {"basic": {"secretRef": {"name": "operator.user"}}}},
    {"tls": {"caRef": {"kind": "ConfigMap", "name": "ca"}}},
    {"allowedNamespaces": {"names": ["Team"]}},
    {"allowedNamespaces": {"names": ["a", "a"]}},
    _selected(matchLabels={"team": "not a value"}),
    _required(operator="Gt", values=["1"]),
)
