"""What is sent for a model, and that what the server shows of it is no difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensearch_ml_operator.models.model import RemoteModelSpec
from opensearch_ml_operator.reconcilers.model import bodies
from support.memory_ports import Stage

MODEL: Mapping[str, Any] = {
    "connectorRef": {"name": "embeddings"},
    "description": "For search.",
    "rateLimiter": {"limit": 4, "unit": "MINUTES"},
    "guardrails": {"type": "local_regex", "input_guardrail": {"stop_words": [{"a": 1}]}},
    "interface": {"input": "{}", "output": "{}"},
    "deploySetting": {"autoDeployEnabled": False, "ttlMinutes": 5},
}


def body(**changes: Any) -> dict[str, Any]:
    document = {key: value for key, value in {**MODEL, **changes}.items() if value is not None}
    spec = RemoteModelSpec.model_validate(document)
    return bodies.desired(Stage().add("RemoteModel", "one"), spec, connector_id="con1", group_id="grp1")


def test_what_the_server_shows_of_a_model_is_no_difference() -> None:
    shown = bodies.register_body(body()) | {"model_state": "DEPLOYED", "last_updated_time": 1}
    shown["guardrails"] = {**shown["guardrails"], "output_guardrail": {"added": "by the server"}}

    assert bodies.difference(body(), shown) == {}
    assert bodies.leftover(body(), shown) == ()


def test_what_the_server_leaves_out_has_its_default() -> None:
    plain = body(deploySetting=None, rateLimiter=None, guardrails=None, interface=None)
    shown = {key: plain[key] for key in ("name", "description", "connector_id", "model_group_id")}

    assert bodies.difference(plain, shown) == {}


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

    assert bodies.difference(wanted, body()) == {field: wanted[field]}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"rateLimiter": None}, ("rate_limiter",)),
        ({"guardrails": None}, ("guardrails",)),
        ({"interface": None}, ()),
    ],
)
def test_what_cannot_be_taken_away_is_named(changes: dict[str, Any], left: tuple[str, ...]) -> None:
    assert bodies.leftover(body(**changes), body()) == left


@pytest.mark.parametrize(
    ("schemas", "once_set", "sent"),
    [
        (None, ["interface.input", "interface.output"], {"input": "{}", "output": "{}"}),
        ({"input": "[1]"}, ["interface.input", "interface.output"], {"input": "[1]", "output": "{}"}),
        (None, ["interface.output"], {"output": "{}"}),
        (None, [], None),  # preset by the server, or set by somebody else before an adoption
    ],
)
def test_schemas_that_are_not_wanted_any_more_are_opened(
    schemas: dict[str, str] | None, once_set: list[str], sent: dict[str, str] | None
) -> None:
    shown = {**body(), "interface": {"input": "[1]", "output": "[2]"}}
    wanted = body(interface=schemas)

    found = bodies.difference(wanted, shown, once_set=once_set)
    assert found == ({"interface": sent} if sent is not None else {})
    assert bodies.leftover(wanted, shown, once_set) == ()
    shown["interface"].update(sent or {})
    assert bodies.difference(wanted, shown, once_set=once_set) == {}


@pytest.mark.parametrize(
    ("shown", "deploys"),
    [
        ({}, True),
        ({"deploy_setting": None}, True),
        ({"deploy_setting": {"is_auto_deploy_enabled": False}}, False),
    ],
)
def test_auto_deploy_is_on_unless_the_server_says_otherwise(shown: dict[str, Any], *, deploys: bool) -> None:
    assert bodies.auto_deploys(shown) is deploys
