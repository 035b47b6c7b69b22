"""`spec.extra`: sent beside the typed fields, never in place of one, compared where the server shows it."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.models.model import RemoteModelSpec
from opensearch_ml_operator.reconcilers import connector_body, extra, model_body
from opensearch_ml_operator.reconcilers.conditions import Fact
from support.kind_documents import PREDICT
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import Stage
from unit.reconcilers.driving import Driver
from unit.reconcilers.remote_model import respec

CONFIG = {"model_type": "text_embedding", "embedding_dimension": 768}


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
    body = connector_body.content(Stage().add("MLConnector", "one"), spec, private_allowed=False)

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
    content = connector_body.content(snapshot, spec, private_allowed=False)
    assert not isinstance(content, Fact)
    sent = connector_body.create_body(content, "mark", credential={})
    del sent["tenant"]

    assert connector_body.drifted(content, sent | shown, mark="mark") == drift


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
    body = model_body.desired(Stage().add("RemoteModel", "one"), spec, connector_id="c", group_id="g")
    plain = {key: value for key, value in body.items() if key not in given}
    plain["rate_limiter"] = {"limit": "1", "unit": "DAYS"}

    assert sorted(model_body.difference(body, plain | shown, unseen=given)) == different
    assert "deploy_setting" in model_body.difference(body, plain | shown)


async def test_a_field_that_the_server_does_not_show_is_sent_once(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    update = cluster.update_model
    sent: list[dict[str, Any]] = []

    async def forgetful(model_id: str, body: Any) -> None:
        sent.append(dict(body))
        await update(model_id, {key: value for key, value in body.items() if key != "hidden"})

    cluster.update_model = forgetful  # type: ignore[method-assign]
    respec(driver, extra={"hidden": 1})
    await driver.rest()
    await driver.spend(3000)

    assert sent == [{"hidden": 1}]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_field_that_somebody_changes_is_put_back(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, extra={"model_config": CONFIG})
    await driver.rest()
    id_ = driver.status["id"]
    assert cluster.docs["model"][id_]["model_config"] == CONFIG
    cluster.show("model", id_, model_config={**CONFIG, "embedding_dimension": 3})
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert cluster.docs["model"][id_]["model_config"] == CONFIG
    assert "DriftCorrected" in driver.stage.events.reasons


async def test_a_field_that_cannot_be_taken_away_is_named(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, extra={"model_config": CONFIG, "other": 1})
    await driver.rest()
    respec(driver, extra={"other": 1}, description="Changed too.")
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert "model_config" in driver.message("Synced")
    assert cluster.docs["model"][driver.status["id"]]["description"].startswith("Changed too.")
    cluster.docs["model"][driver.status["id"]].pop("model_config")
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["extraFields"] == ["other"]


async def test_a_clash_changes_nothing(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    before = dict(cluster.docs["model"][driver.status["id"]])
    respec(driver, extra={"is_enabled": False}, description="Changed too.")
    await driver.once()

    assert driver.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.docs["model"][driver.status["id"]] == before
