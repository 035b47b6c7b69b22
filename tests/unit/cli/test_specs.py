from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.cli import specs
from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.models.model import RemoteModelSpec

MARK = "k8sml" + "0" * 32 + "cr1 0123456789abcdef"
ACTION: dict[str, Any] = {
    "action_type": "PREDICT",
    "method": "post",
    "url": "https://models.example/v1",
    "headers": {"Authorization": "Bearer ${credential.key}"},
    "request_body": '{"input": ${parameters.input}, "user": "${credential.user}"}',
}


def connector(**source: Any) -> dict[str, Any]:
    return specs.connector({"name": "n", "actions": [ACTION], **source}, secret="s")


def key(name: str) -> dict[str, Any]:
    return {"name": name, "secretKeyRef": {"name": "s", "key": name}}


@pytest.mark.parametrize(
    ("source", "field", "expected"),
    [
        ({"description": f"mine {MARK}"}, "description", "mine"),
        ({"description": MARK}, "description", None),
        ({"version": 1}, "version", None),
        ({"version": "2"}, "version", "2"),
        ({"protocol": "http"}, "protocol", None),
        ({"protocol": "aws_sigv4"}, "protocol", "aws_sigv4"),
        ({"parameters": {"a": "1"}}, "parameters", {"a": "1"}),
        ({}, "credentials", [key("key"), key("user")]),
        (
            {"credential": {"key": "secret", "more": "x"}},
            "credentials",
            [key("key"), key("more"), key("user")],
        ),
        (
            {
                "credential": {"roleArn": "arn:aws:iam::1:role/r"},
                "actions": [{**ACTION, "headers": {}, "request_body": None}],
            },
            "credentials",
            [{"name": "roleArn", "value": "arn:aws:iam::1:role/r"}],
        ),
        (
            {"client_config": {"max_connection": 30, "connection_timeout": 30000, "read_timeout": 30}},
            "clientConfig",
            None,
        ),
        (
            {"client_config": {"max_connection": 5, "connection_timeout": 10000, "retry_backoff_millis": 50}},
            "clientConfig",
            {"maxConnection": 5, "connectionTimeout": "10s", "retryBackoff": "50ms"},
        ),
        ({"access": "private"}, "access", None),
        ({"access": "private", "owner": {"name": "o"}}, "access", {"mode": "private"}),
        (
            {"access_mode": "restricted", "backend_roles": ["a"]},
            "access",
            {"mode": "restricted", "backendRoles": ["a"]},
        ),
        (
            {"access_mode": "restricted", "add_all_backend_roles": True},
            "access",
            {"mode": "restricted", "addAllBackendRoles": True},
        ),
        ({"owner": {}, "created_time": 1, "last_updated_time": None, "novelty": 2}, "extra", {"novelty": 2}),
    ],
)
def test_fields_of_a_connector(source: dict[str, Any], field: str, expected: object) -> None:
    spec = connector(**source)
    assert spec.get(field) == expected
    MLConnectorSpec.model_validate({"connectionRef": {"name": "main"}, **spec})


def test_an_action_is_written_as_the_spec_has_it() -> None:
    (action,) = connector()["actions"]
    assert action == {
        "type": "predict",
        "method": "POST",
        "url": ACTION["url"],
        "headers": ACTION["headers"],
        "requestBody": ACTION["request_body"],
    }


@pytest.mark.parametrize(
    ("source", "field", "expected"),
    [
        ({"model_state": "DEPLOYED"}, "deploy", None),
        ({"model_state": "PARTIALLY_DEPLOYED"}, "deploy", None),
        ({"model_state": "UNDEPLOYED"}, "deploy", False),
        ({"model_state": "DEPLOY_FAILED"}, "deploy", False),
        ({"is_enabled": True}, "enabled", None),
        ({"is_enabled": False}, "enabled", False),
        (
            {"deploy_setting": {"is_auto_deploy_enabled": True, "model_ttl_minutes": -1}},
            "deploySetting",
            None,
        ),
        ({"deploy_setting": {"model_ttl_minutes": 5}}, "deploySetting", {"ttlMinutes": 5}),
        ({"rate_limiter": {"limit": "4", "unit": "MINUTES"}}, "rateLimiter", {"limit": 4, "unit": "MINUTES"}),
        ({"guardrails": {"type": "local_regex"}}, "guardrails", {"type": "local_regex"}),
        ({"interface": {"input": "{}"}}, "interface", {"input": "{}"}),
    ],
)
def test_fields_of_a_model(source: dict[str, Any], field: str, expected: object) -> None:
    spec = specs.model({"name": "n", **source})
    assert spec.get(field) == expected
    RemoteModelSpec.model_validate({"connectionRef": {"name": "main"}, "connectorID": "x", **spec})
