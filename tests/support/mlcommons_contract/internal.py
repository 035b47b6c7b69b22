"""Models with a connector of their own."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target


async def a_models_own_connector_is_part_of_it(t: Target) -> None:
    model = await t.model(connector_id=None, connector=t.connector_body(description="text"))
    document = await t.document("model", model)
    assert "connector_id" not in document
    connector = document["connector"]
    assert connector["actions"][0].items() >= {"action_type": "PREDICT", "url": t.model_url}.items()
    assert {
        name: connector[name] for name in ("name", "version", "protocol", "description", "parameters")
    } == {
        "name": "contract",
        "version": "1",
        "protocol": "http",
        "description": "text",
        "parameters": {"model": "m"},
    }
    assert "credential" not in connector
    await t.deployed(model)
    assert await t.client.loaded_nodes(model) == 1


async def a_models_own_connector_changes_in_place_and_merges(t: Target) -> None:
    model = await t.model(
        connector_id=None, connector=t.connector_body(parameters={"model": "m", "old": "1"})
    )
    await t.deployed(model)
    change = t.connector_body(
        parameters={"model": "n", "new": 2}, version="2", protocol=None, description="d"
    )
    await t.change(model, {"connector": change})
    connector = (await t.document("model", model))["connector"]
    assert connector["parameters"] == {"model": "n", "old": "1", "new": "2"}
    assert (connector["version"], connector["protocol"], connector["description"]) == ("2", "http", "d")
    assert (await t.document("model", model))["model_state"] == "DEPLOYED"
    assert await t.client.loaded_nodes(model) == 1


async def a_models_own_connector_stays_its_own(t: Target) -> None:
    own = await t.model(connector_id=None, connector=t.connector_body())
    other = await t.connector()
    answer = await t.raw("PUT", f"{ML}/models/{own}", {"connector_id": other})
    words = "This remote does not have a connector_id field, maybe it uses an internal connector."
    assert (answer.status, answer.error[2]) == (400, words)
    standalone = await t.model(connector_id=other)
    answer = await t.raw("PUT", f"{ML}/models/{standalone}", {"connector": t.connector_body(protocol=None)})
    assert answer.error[:2] == ((400, "status_exception") if t.is_3 else (500, "null_pointer_exception"))


async def a_bad_connector_of_a_model_is_refused(t: Target) -> None:
    group = await t.group()
    good = {"name": "contract", "function_name": "remote", "model_group_id": group}
    untrusted = t.connector_body(actions=[t.action(url="https://models.invalid/v1")])
    with pytest.raises(MLError) as refused:
        await t.client.register_model({**good, "connector": untrusted})
    assert refused.value.code is MLCode.ENDPOINT_NOT_TRUSTED
    model = await t.model(connector_id=None, connector=t.connector_body())
    del untrusted["protocol"]
    with pytest.raises(MLError) as refused:
        await t.client.update_model(model, {"connector": untrusted})
    assert refused.value.code is MLCode.ENDPOINT_NOT_TRUSTED
    connector = (await t.document("model", model))["connector"]
    assert connector["actions"][0]["url"] == t.model_url


CHECKS = (
    a_models_own_connector_is_part_of_it,
    a_models_own_connector_changes_in_place_and_merges,
    a_models_own_connector_stays_its_own,
    a_bad_connector_of_a_model_is_refused,
)
