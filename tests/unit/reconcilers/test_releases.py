"""What an older OpenSearch would drop without a word is refused, and nothing of such a spec is sent."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.reconcilers.releases import TABLES, unsupported

DEFAULTS = {"enabled": True, "deploySetting": {"autoDeployEnabled": True, "ttlMinutes": -1}}
ROWS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("RemoteModel", {"enabled": False}, "enabled", "2.11.1", "2.12.0"),
    ("RemoteModel", {"rateLimiter": {"limit": 1, "unit": "DAYS"}}, "rateLimiter", "2.11.1", "2.12.0"),
    ("RemoteModel", {"guardrails": {"type": "local_regex"}}, "guardrails", "2.12.0", "2.13.0"),
    ("RemoteModel", {"guardrails": {"type": "model"}}, "guardrails.type", "2.14.0", "2.15.0"),
    (
        "RemoteModel",
        {"deploySetting": {"autoDeployEnabled": False}},
        "deploySetting.autoDeployEnabled",
        "2.12.0",
        "2.13.0",
    ),
    ("RemoteModel", {"deploySetting": {"ttlMinutes": 0}}, "deploySetting.ttlMinutes", "2.13.0", "2.14.0"),
    ("RemoteModel", {"interface": {"input": "{}"}}, "interface", "2.13.0", "2.14.0"),
]
CONNECTOR_ROWS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"clientConfig": {"maxConnection": 1}}, "clientConfig", "2.12.0", "2.13.0"),
    ({"clientConfig": {"retryBackoff": "1s"}}, "clientConfig.retryBackoff", "2.14.0", "2.15.0"),
    ({"clientConfig": {"maxRetryTimes": 0}}, "clientConfig.maxRetryTimes", "2.14.0", "2.15.0"),
    (
        {"clientConfig": {"retryBackoffPolicy": "constant"}},
        "clientConfig.retryBackoffPolicy",
        "2.14.0",
        "2.15.0",
    ),
    ({"clientConfig": {"skipSSLVerification": True}}, "clientConfig.skipSSLVerification", "3.4.0", "3.5.0"),
    ({"actions": [{"type": "predict"}, {"type": "batch_predict"}]}, "actions.type", "2.15.0", "2.16.0"),
    ({"actions": [{"type": "cancel_batch_predict"}]}, "actions.type", "2.16.0", "2.17.0"),
    ({"actions": [{"type": "predict", "method": "PUT"}]}, "actions.method", "3.4.0", "3.5.0"),
]
ROWS += [("MLConnector", *row) for row in CONNECTOR_ROWS]
ROWS += [
    ("RemoteModel", {"connector": spec}, f"connector.{path}", before, since)
    for spec, path, before, since in CONNECTOR_ROWS
]


@pytest.mark.parametrize(("kind", "spec", "path", "before", "since"), ROWS)
def test_a_field_and_the_release_that_brought_it(
    kind: str, spec: dict[str, Any], path: str, before: str, since: str
) -> None:
    fact = unsupported(kind, spec, before)

    assert fact is not None
    assert (fact.reason, fact.stalled) == ("FieldNotSupported", True)
    assert f"spec.{path} needs {since.removesuffix('.0')}" in fact.message
    assert before in fact.message
    assert unsupported(kind, spec, since) is None
    assert unsupported(kind, spec, "4.0.0") is None


def test_every_row_of_the_tables_is_tried() -> None:
    assert sum(map(len, TABLES.values())) == len(ROWS)


@pytest.mark.parametrize("version", [None, "7.10.2", "latest"])
def test_what_is_not_known_is_left_to_the_server(version: str | None) -> None:
    assert unsupported("RemoteModel", {"interface": {"input": "{}"}}, version) is None


def test_defaults_are_fine_everywhere() -> None:
    assert unsupported("RemoteModel", DEFAULTS, "2.11.0") is None
    assert (
        unsupported("MLConnector", {"clientConfig": None, "actions": [{"type": "predict"}]}, "2.11.0") is None
    )
