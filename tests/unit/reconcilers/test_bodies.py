"""What is sent for connectors and models, and that what the server shows of it is no difference."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.models.model import RemoteModelSpec
from opensearch_ml_operator.reconcilers import connector_body, model_body
from opensearch_ml_operator.reconcilers.conditions import Fact
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
MODEL: Mapping[str, Any] = {
    "connectorRef": {"name": "embeddings"},
    "description": "For search.",
    "rateLimiter": {"limit": 4, "unit": "MINUTES"},
    "guardrails": {"type": "local_regex", "input_guardrail": {"stop_words": [{"a": 1}]}},
    "interface": {"input": "{}", "output": "{}"},
    "deploySetting": {"autoDeployEnabled": False, "ttlMinutes": 5},
}


def content(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    spec = MLConnectorSpec.model_validate({**CONNECTOR, **(changes or {})})
    made = connector_body.content(Stage().add("MLConnector", "one"), spec, private_allowed=False)
    assert not isinstance(made, Fact)
    return made


def connector_shown() -> dict[str, Any]:
    """Return the connector as GET shows it: no credential, `access` for `access_mode`, nulls filled in."""
    body = connector_body.create_body(content(), MARK, credential={"key": "hidden"})
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
    body = connector_body.create_body(content(), MARK, credential={})

    assert body["credential"] == {"none": "none"}


def test_what_the_server_shows_of_a_connector_is_no_drift() -> None:
    assert connector_body.drifted(content(), connector_shown(), mark=MARK) == ()


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
    assert connector_body.drifted(content(), connector_shown() | changes, mark=MARK) == (drift,)


def test_an_url_that_must_not_be_called_gives_no_body() -> None:
    spec = MLConnectorSpec.model_validate(
        {**CONNECTOR, "actions": [PREDICT | {"url": "http://169.254.169.254/latest"}]}
    )

    assert isinstance(
        connector_body.content(Stage().add("MLConnector", "one"), spec, private_allowed=True), Fact
    )


def body(**changes: Any) -> dict[str, Any]:
    document = {key: value for key, value in {**MODEL, **changes}.items() if value is not None}
    spec = RemoteModelSpec.model_validate(document)
    return model_body.desired(Stage().add("RemoteModel", "one"), spec, connector_id="con1", group_id="grp1")


def test_what_the_server_shows_of_a_model_is_no_difference() -> None:
    shown = model_body.register_body(body()) | {"model_state": "DEPLOYED", "last_updated_time": 1}
    shown["guardrails"] = {**shown["guardrails"], "output_guardrail": {"added": "by the server"}}

    assert model_body.difference(body(), shown) == {}
    assert model_body.leftover(body(), shown) == ()


def test_what_the_server_leaves_out_has_its_default() -> None:
    plain = body(deploySetting=None, rateLimiter=None, guardrails=None, interface=None)
    shown = {key: plain[key] for key in ("name", "description", "connector_id", "model_group_id")}

    assert model_body.difference(plain, shown) == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"name": "other"}, "name", id="name"),
        pytest.param({"description": None}, "description", id="description"),
        pytest.param({"enabled": False}, "is_enabled", id="enabled"),
        pytest.param({"rateLimiter": {"limit": 5, "unit": "MINUTES"}}, "rate_limiter", id="limit"),
        pytest.param({"deploySetting": None}, "deploy_setting", id="deploy-setting"),
        pytest.param({"guardrails": {"type": "model"}}, "guardrails", id="guardrails"),
        pytest.param({"interface": {"input": "{ }"}}, "interface", id="interface"),
    ],
)
def test_each_change_of_a_model_is_exactly_that_difference(changes: dict[str, Any], field: str) -> None:
    wanted = body(**changes)

    assert model_body.difference(wanted, body()) == {field: wanted[field]}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"rateLimiter": None}, ("rate_limiter",)),
        ({"guardrails": None}, ("guardrails",)),
        ({"interface": None}, ()),
    ],
)
def test_what_cannot_be_taken_away_is_named(changes: dict[str, Any], left: tuple[str, ...]) -> None:
    assert model_body.leftover(body(**changes), body()) == left


@pytest.mark.parametrize(
    ("shown", "deploys"),
    [
        ({}, True),
        ({"deploy_setting": None}, True),
        ({"deploy_setting": {"is_auto_deploy_enabled": False}}, False),
    ],
)
def test_auto_deploy_is_on_unless_the_server_says_otherwise(shown: dict[str, Any], *, deploys: bool) -> None:
    assert model_body.auto_deploys(shown) is deploys
