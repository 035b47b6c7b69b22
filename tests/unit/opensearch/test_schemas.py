"""Answers of the wrong shape are unknown outcomes, not tracebacks."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.schemas import (
    Answer,
    ConnectorCreated,
    DeployStarted,
    Document,
    ErrorBody,
    Info,
    ModelRegistered,
    Profile,
    SearchResult,
    Settings,
    parse_error,
    read,
)


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (ConnectorCreated, {}),
        (ConnectorCreated, {"connector_id": ""}),
        (ConnectorCreated, {"connector_id": 7}),
        (ConnectorCreated, []),
        (ConnectorCreated, None),
        (ModelRegistered, {"task_id": "t", "status": "CREATED"}),
        (DeployStarted, {"task_id": None}),
        (Document, {}),
        (Document, {"name": None}),
        (Profile, {"models": {"m": {"nodes": []}}}),
        (Info, {"cluster_name": "c", "cluster_uuid": "u", "version": "3.6.0"}),
        (SearchResult, {"timed_out": False, "hits": {"hits": []}}),
        (
            SearchResult,
            {"timed_out": False, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": [{"_id": "x"}]}},
        ),
        (Settings, {"defaults": "none"}),
    ],
)
def test_a_wrong_shape_is_ambiguous(schema: type[Answer], answer: Any) -> None:
    with pytest.raises(MLError) as unreadable:
        read(schema, answer, doing="get-model")
    assert unreadable.value.code is MLCode.AMBIGUOUS
    assert unreadable.value.message.startswith("get-model got an unreadable answer (")


def test_the_message_names_fields_but_never_values() -> None:
    with pytest.raises(MLError) as unreadable:
        read(ModelRegistered, {"model_id": {"secret": "value"}, "task_id": 1}, doing="register-model")
    assert unreadable.value.message == "register-model got an unreadable answer (model_id, task_id)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"type":"t","reason":"r"},"status":400}', ErrorBody(type="t", reason="r")),
        (b'{"error":{"type":"t","reason":null}}', ErrorBody(type="t")),
        (b'{"error":"words"}', ErrorBody(reason="words")),
        (b'{"error":"words","exception":"better words"}', ErrorBody(reason="better words")),
        (b'{"error":"words","exception":""}', ErrorBody(reason="words")),
        (b'{"error":7}', None),
        (b'{"status":400}', None),
        (b"[]", None),
        (b"Unauthorized", None),
        (b"\xff\xfe", None),
    ],
)
def test_error_bodies(body: bytes, expected: ErrorBody | None) -> None:
    assert parse_error(body) == expected


@pytest.mark.parametrize(
    ("layers", "value"),
    [
        ({"transient": {"s": "1"}, "persistent": {"s": "2"}, "defaults": {"s": "3"}}, "1"),
        ({"persistent": {"s": "2"}, "defaults": {"s": "3"}}, "2"),
        ({"defaults": {"s": "3"}}, "3"),
        ({}, None),
    ],
)
def test_settings_precedence(layers: dict[str, Any], value: str | None) -> None:
    assert read(Settings, layers, doing="get-settings").get("s") == value
