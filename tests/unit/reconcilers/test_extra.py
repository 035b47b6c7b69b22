"""`spec.extra`: sent beside the typed fields, never in place of one, compared where the server shows it."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.models.model import RemoteModelSpec
from opensearch_ml_operator.reconcilers import extra
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.connector import bodies as connector_bodies
from opensearch_ml_operator.reconcilers.model import bodies as model_bodies
from support.kind_documents import PREDICT
from support.memory_ports import Stage


@pytest.mark.parametrize(
    ("typed", "given", "named"),
    [
        (extra.CONNECTOR, {"actions": []}, "actions"),
        (extra.CONNECTOR, {"credential": {"key": "value"}}, "credential"),
        (extra.CONNECTOR, {"connector_id": "mine"}, "connector_id"),
        (extra.CONNECTOR, {"client_config": {"new": 1, "read_timeout": 5}}, "client_config.read_timeout"),
        (extra.CONNECTOR, {"client_config": 7}, "client_config"),
        (extra.MODEL, {"description": "x", "name": "y"}, "description, name"),
        (extra.MODEL, {"model_id": "mine"}, "model_id"),
        (extra.MODEL, {"connector": {}}, "connector"),
        (extra.MODEL, {"deploy_setting": {"model_ttl_minutes": 1}}, "deploy_setting.model_ttl_minutes"),
        (extra.MODEL, {"rate_limiter": None}, "rate_limiter"),
    ],
)
def test_what_has_a_field_is_refused(typed: extra.Typed, given: dict[str, Any], named: str) -> None:
    fact = extra.clash(given, typed)

    assert fact is not None
    assert (fact.reason, fact.stalled) == ("InvalidSpec", True)
    assert f"sets {named}:" in fact.message


def test_what_has_none_is_sent_as_it_is() -> None:
    spec = MLConnectorSpec.model_validate(
        {
            "connectionRef": {"name": "main"},
            "actions": [PREDICT],
            "clientConfig": {"maxConnection": 5},
            "extra": {"client_config": {"new": [1, {"a": None}]}, "tenant": 7},
        }
    )
    body = connector_bodies.content(Stage().add("MLConnector", "one"), spec, private_allowed=False)

    assert not isinstance(body, Fact)
    assert body["client_config"] == {"max_connection": 5, "new": [1, {"a": None}]}
    assert body["tenant"] == 7


@pytest.mark.parametrize(
    ("shown", "drift"),
    [({}, ()), ({"tenant": {"a": 1, "more": 2}}, ()), ({"tenant": {"a": 2}}, ("tenant",))],
    ids=["not shown", "more", "other"],
)
def test_a_connectors_extra_is_compared_where_it_is_shown(
    shown: dict[str, Any], drift: tuple[str, ...]
) -> None:
    spec = MLConnectorSpec.model_validate(
        {"connectionRef": {"name": "main"}, "actions": [PREDICT], "extra": {"tenant": {"a": 1}}}
    )
    snapshot = Stage().add("MLConnector", "one")
    content = connector_bodies.content(snapshot, spec, private_allowed=False)
    assert not isinstance(content, Fact)
    sent = connector_bodies.create_body(content, "mark", credential={})
    del sent["tenant"]

    assert connector_bodies.drifted(content, sent | shown, mark="mark") == drift


@pytest.mark.parametrize(
    ("shown", "different"),
    [
        ({}, []),
        ({"config": None}, []),
        ({"config": {"a": 1}}, []),
        ({"config": {"a": "1", "c": "TEXT"}}, []),
        ({"config": {"c": "TEXTS"}}, ["config"]),
        ({"config": {"a": 1, "b": 2, "more": 3}}, []),
        ({"config": {"b": 3}}, ["config"]),
        (
            {"deploy_setting": {"is_auto_deploy_enabled": True, "model_ttl_minutes": -1, "new": 2}},
            ["deploy_setting"],
        ),
        ({"deploy_setting": {"model_ttl_minutes": 7}}, ["deploy_setting"]),
        ({"rate_limiter": None}, ["rate_limiter"]),
    ],
)
def test_a_models_extra_is_compared_where_it_is_shown(shown: dict[str, Any], different: list[str]) -> None:
    given = {"config": {"a": 1, "b": 2, "c": "text"}, "deploy_setting": {"new": 1}}
    given["rate_limiter"] = {"new": 1}
    document = {"connectorRef": {"name": "c"}, "rateLimiter": {"limit": 1, "unit": "DAYS"}, "extra": given}
    spec = RemoteModelSpec.model_validate(document)
    body = model_bodies.desired(Stage().add("RemoteModel", "one"), spec, connector_id="c", group_id="g")
    plain = {key: value for key, value in body.items() if key not in given}
    plain["rate_limiter"] = {"limit": "1", "unit": "DAYS"}

    assert sorted(model_bodies.difference(body, plain | shown, unseen=given)) == different
    assert "deploy_setting" in model_bodies.difference(body, plain | shown)
