"""What is sent for a connector, and that what the server shows of it is no drift."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.connector import bodies
from support.kind_documents import PREDICT
from support.memory_ports import Stage

MARK = "k8smluidMLConnectoronecr2 0123456789abcdef"
CONNECTOR: Mapping[str, Any] = {
    "connectionRef": {"name": "main"},
    "description": "For search.",
    "parameters": {"model": "m", "number": 7, "nested": {"a": [1, True, None]}, "empty": ""},
    "actions": [PREDICT | {"headers": {"X-Key": "${credential.key}"}, "requestBody": "{}"}],
    "clientConfig": {"maxConnection": 5, "readTimeout": "1m", "retryBackoff": "1.5s"},
    "access": {"mode": "public"},
}


def content(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    spec = MLConnectorSpec.model_validate({**CONNECTOR, **(changes or {})})
    made = bodies.content(Stage().add("MLConnector", "one"), spec, private_allowed=False)
    assert not isinstance(made, Fact)
    return made


def connector_shown() -> dict[str, Any]:
    """Return the connector as GET shows it: no credential, `access` for `access_mode`, nulls filled in."""
    body = bodies.create_body(content(), MARK, credential={"key": "hidden"})
    shown = deepcopy(body)
    assert shown.pop("credential") == {"key": "hidden"}
    shown["access"] = shown.pop("access_mode")
    shown["actions"] = [
        action | {"action_type": action["action_type"].upper(), "pre_process_function": None}
        for action in shown["actions"]
    ]
    return shown | {"created_time": 1, "owner": {"name": "operator"}}


def test_parameters_are_sent_as_the_server_stores_them() -> None:
    assert content()["parameters"] == {
        "model": "m",
        "number": "7",
        "nested": '{"a":[1,true,null]}',
        "empty": "",
    }


def test_durations_are_sent_in_the_servers_units() -> None:
    assert content()["client_config"] == {
        "max_connection": 5,
        "read_timeout": 60,
        "retry_backoff_millis": 1500,
    }


def test_a_connector_without_credentials_gets_one_that_the_server_accepts() -> None:
    body = bodies.create_body(content(), MARK, credential={})

    assert body["credential"] == {"none": "none"}


def test_what_the_server_shows_of_a_connector_is_no_drift() -> None:
    assert bodies.drifted(content(), connector_shown(), mark=MARK) == ()


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        pytest.param({"name": "x"}, "name", id="name"),
        pytest.param({"description": "For search."}, "description", id="marker-lost"),
        pytest.param({"description": f"Else {MARK}"}, "description", id="description"),
        pytest.param({"version": "2"}, "version", id="version"),
        pytest.param({"protocol": "aws_sigv4"}, "protocol", id="protocol"),
        pytest.param({"parameters": {"model": "m"}}, "parameters", id="parameters-removed"),
        pytest.param({"parameters": None}, "parameters", id="no-parameters"),
        pytest.param({"actions": []}, "actions", id="no-actions"),
        pytest.param({"access": "private"}, "access_mode", id="access"),
    ],
)
def test_each_change_of_a_connector_is_exactly_that_drift(changes: dict[str, Any], drift: str) -> None:
    assert bodies.drifted(content(), connector_shown() | changes, mark=MARK) == (drift,)


def test_an_url_that_must_not_be_called_gives_no_body() -> None:
    spec = MLConnectorSpec.model_validate(
        {**CONNECTOR, "actions": [PREDICT | {"url": "http://169.254.169.254/latest"}]}
    )

    assert isinstance(bodies.content(Stage().add("MLConnector", "one"), spec, private_allowed=True), Fact)
