"""Registering, changing and deleting models."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target, unique, until


async def a_model_is_shown_as_it_was_registered(t: Target) -> None:
    connector, group, name = await t.connector(), await t.group(), unique("model")
    registered = await t.client.register_model(
        {
            "name": name,
            "function_name": "remote",
            "description": "text",
            "version": "9",
            "connector_id": connector,
            "model_group_id": group,
            "model_id": "chosen1",
            "is_enabled": False,
            "deploy_setting": {"is_auto_deploy_enabled": False},
            "rate_limiter": {"limit": 4, "unit": "MINUTES"},
            "interface": {"input": "{}"},
            "guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["a"]}},
            "bogus": 1,
        }
    )
    model = t.made("model", registered.model_id)
    assert (model == "chosen1") is (t.release >= (3, 9))
    document = await t.document("model", model)
    for field in ("created_time", "last_updated_time"):
        assert isinstance(document.pop(field), int)
    assert document == {
        "name": name,
        "description": "text",
        "algorithm": "REMOTE",
        "model_version": "1",
        "model_state": "REGISTERED",
        "model_group_id": group,
        "connector_id": connector,
        "deploy_setting": {"is_auto_deploy_enabled": False}
        | ({"model_ttl_minutes": -1} if "model_ttl_minutes" in document["deploy_setting"] else {}),
        "rate_limiter": {"limit": "4", "unit": "MINUTES"},
        "interface": {"input": "{}"},
        "guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["a"]}},
        "is_hidden": False,
        **({"is_enabled": False} if t.is_3 else {}),
    }

    async def task_is_done() -> bool:
        task = await t.client.get_task(registered.task_id)
        assert task is not None
        return bool(task["state"] == "COMPLETED" and task["model_id"] == model)

    await until(task_is_done)


async def bad_models_are_refused(t: Target) -> None:
    connector, group = await t.connector(), await t.group()
    good = {
        "name": "contract",
        "function_name": "remote",
        "connector_id": connector,
        "model_group_id": group,
    }
    illegal = "illegal_argument_exception"
    no_connector = "You must provide connector content when creating a remote model without connector id!"
    cases: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
        ({"name": None}, (400, illegal, "model name is null")),
        ({"function_name": "bogus"}, (400, illegal, "Wrong function name")),
        ({"connector_id": None}, (400, illegal, no_connector)),
        ({"connector_id": "missing1"}, (404, "status_exception", "Failed to find connector:missing1")),
        (
            {"model_group_id": "missing1"},
            (500, "m_l_resource_not_found_exception", "Model Group Response is empty for missing1"),
        ),
    ]
    for changes, error in cases:
        body = {key: value for key, value in {**good, **changes}.items() if value is not None}
        answer = await t.raw("POST", f"{ML}/models/_register", body)
        assert answer.error == error, changes
    for changes in ({"connector_id": "missing1"}, {"model_group_id": "missing1"}):
        with pytest.raises(MLError) as refused:
            await t.client.register_model({**good, **changes})
        assert refused.value.code is MLCode.REJECTED


async def a_model_without_a_group_gets_one_that_outlives_it(t: Target) -> None:
    connector, name = await t.connector(), unique("model")
    body = {"name": name, "function_name": "remote", "connector_id": connector}
    model = (await t.client.register_model(body)).model_id
    group = (await t.document("model", model))["model_group_id"]
    document = await t.document("group", group)
    assert (document["name"], document["access"], "owner" in document) == (name, "public", False)
    second = t.made("model", (await t.client.register_model(body)).model_id)
    document = await t.document("model", second)
    assert (document["model_group_id"], document["model_version"]) == (group, "2")
    await t.client.delete_model(model)
    await t.client.delete_model(second)
    assert await t.client.get_group(group) is not None
    t.made("group", group)


async def a_model_changes_in_place_and_merges(t: Target) -> None:
    model = await t.model(
        description="before",
        rate_limiter={"limit": "4", "unit": "MINUTES"},
        deploy_setting={"is_auto_deploy_enabled": False, "model_ttl_minutes": 5},
    )
    await t.client.update_model(
        model,
        {
            "name": "renamed",
            "description": "after",
            "is_enabled": False,
            "rate_limiter": {"limit": "5"},
            "deploy_setting": {"is_auto_deploy_enabled": True},
            "model_state": "DEPLOYED",
        },
    )
    document = await t.document("model", model)
    assert document["model_id"] == model
    assert (document["name"], document["description"]) == ("renamed", "after")
    assert document["is_enabled"] is False
    assert document["rate_limiter"] == {"limit": "5", "unit": "MINUTES"}
    assert document["deploy_setting"] == {"is_auto_deploy_enabled": True, "model_ttl_minutes": -1}
    assert document["model_state"] == "REGISTERED"


async def a_model_moves_to_another_group(t: Target) -> None:
    model, group = await t.model(), await t.group()
    await t.client.update_model(model, {"model_group_id": group})
    document = await t.document("model", model)
    assert (document["model_group_id"], document["model_version"]) == (group, "1")
    assert (await t.document("group", group))["latest_version"] == 1
    with pytest.raises(MLError) as refused:
        await t.client.update_model(model, {"model_group_id": "missing1"})
    assert refused.value.code is MLCode.REJECTED
    assert refused.value.message == (
        "Failed to find the model group with the provided model group id in the update model input, "
        "MODEL_GROUP_ID: missing1"
    )


async def bad_changes_are_refused(t: Target) -> None:
    model = await t.model()
    path = f"{ML}/models/{model}"
    answer = await t.raw("PUT", path, {"description": None})
    assert answer.error[:2] == (400, "parse_exception")
    assert answer.error[2].startswith("Can't get text on a VALUE_NULL at ")
    answer = await t.raw("PUT", path, {"rate_limiter": {"limit": "5", "unit": "hours"}})
    words = "No enum constant java.util.concurrent.TimeUnit.hours"
    assert answer.error == (400, "illegal_argument_exception", words)
    answer = await t.raw("PUT", path, {"rate_limiter": {"limit": "abc", "unit": "HOURS"}})
    assert answer.error == (400, "parse_exception", "Limit field must be a positive number.")


async def a_missing_connector_is_stored_without_a_word(t: Target) -> None:
    model = await t.model()
    await t.client.update_model(model, {"connector_id": "missing1"})
    assert (await t.document("model", model))["connector_id"] == "missing1"


async def registers_beyond_the_limit_are_refused_and_leave_only_tasks(t: Target) -> None:
    connector = await t.connector()
    groups = [await t.group() for _ in range(24)]
    bodies = [
        {"name": unique("m"), "function_name": "remote", "connector_id": connector, "model_group_id": group}
        for group in groups
    ]
    answers = await asyncio.gather(*(t.raw("POST", f"{ML}/models/_register", body) for body in bodies))
    registered = [answer.body["model_id"] for answer in answers if answer.status == 200]
    for model in registered:
        t.made("model", model)
    refused = [answer.error for answer in answers if answer.status != 200]
    assert set(refused) == {(500, "m_l_limit_exceeded_exception", "exceed max running task limit")}
    found = await t.raw(
        "POST", f"{ML}/models/_search", {"size": 100, "query": {"terms": {"model_group_id": groups}}}
    )
    assert {hit["_id"] for hit in found.body["hits"]["hits"]} == set(registered)


CHECKS = (
    a_model_is_shown_as_it_was_registered,
    bad_models_are_refused,
    a_model_without_a_group_gets_one_that_outlives_it,
    a_model_changes_in_place_and_merges,
    a_model_moves_to_another_group,
    bad_changes_are_refused,
    a_missing_connector_is_stored_without_a_word,
    registers_beyond_the_limit_are_refused_and_leave_only_tasks,
)
