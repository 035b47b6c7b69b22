"""Deploy, undeploy, and what stands in their way."""

from __future__ import annotations

import asyncio
import json

import pytest

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target, until

_COUNTS = ("planning_worker_node_count", "current_worker_node_count")


async def a_model_goes_through_its_life(t: Target) -> None:
    model = await t.model()
    assert await t.client.loaded_nodes(model) == 0
    task_id = await t.client.deploy_model(model)
    deployed = await t.state(model, "DEPLOYED")
    assert [deployed[name] for name in _COUNTS] == [1, 1]
    assert len(deployed["planning_worker_nodes"]) == 1
    assert deployed["deploy_to_all_nodes"] is True
    assert isinstance(deployed["last_deployed_time"], int)
    assert await t.client.loaded_nodes(model) == 1

    async def task_is_done() -> bool:
        task = await t.client.get_task(task_id)
        assert task is not None
        assert (task["task_type"], task["model_id"]) == ("DEPLOY_MODEL", model)
        return bool(task["state"] == "COMPLETED")

    await until(task_is_done)
    with pytest.raises(MLError) as refused:
        await t.client.delete_model(model)
    assert refused.value.code is MLCode.BUSY
    assert refused.value.message == (
        "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete"
    )
    await t.client.undeploy_model(model)
    undeployed = await t.state(model, "UNDEPLOYED")
    assert [undeployed[name] for name in _COUNTS] == [0, 0]
    assert "planning_worker_nodes" not in undeployed
    assert await t.client.loaded_nodes(model) == 0
    await t.client.delete_model(model)
    assert await t.client.get_model(model) is None


async def models_asked_for_at_the_same_time_are_told_apart(t: Target) -> None:
    loaded, idle = await t.model(), await t.model()
    await t.deployed(loaded)
    asked = (loaded, idle, "missing1", loaded)
    assert await asyncio.gather(*map(t.client.loaded_nodes, asked)) == [1, 0, 0, 1]


async def undeploying_says_whether_it_was_loaded(t: Target) -> None:
    model = await t.model()
    await t.deployed(model)
    for result in ("undeployed", "not_found"):
        answer = await t.raw("POST", f"{ML}/models/{model}/_undeploy")
        assert [node["stats"] for node in answer.body.values()] == [{model: result}]


async def the_answer_to_deploy_says_completed_whatever_comes_of_it(t: Target) -> None:
    model = await t.model()
    await t.client.update_model(model, {"connector_id": "missing1"})
    answer = await t.raw("POST", f"{ML}/models/{model}/_deploy")
    assert (answer.status, answer.body["status"], answer.body["task_type"]) == (
        200,
        "COMPLETED",
        "DEPLOY_MODEL",
    )
    failed = await t.state(model, "DEPLOY_FAILED")
    assert [failed[name] for name in _COUNTS] == [1, 0]


async def a_failed_deploy_fails_for_ever_until_it_is_undeployed(t: Target) -> None:
    model = await t.model()
    connector = (await t.document("model", model))["connector_id"]
    await t.client.update_model(model, {"connector_id": "missing1"})
    assert await _error(t, model) == "Failed to find connector:missing1"
    assert await t.client.loaded_nodes(model) == 0
    assert (await t.document("model", model))["model_state"] == "DEPLOY_FAILED"
    await t.change(model, {"connector_id": connector})
    assert await _error(t, model) == "Duplicate deploy model task"
    await t.client.undeploy_model(model)
    await t.deployed(model)
    assert await t.client.loaded_nodes(model) == 1


async def _error(t: Target, model: str) -> str:
    """Deploy, and return the one node's error from the task."""
    task_id = await t.client.deploy_model(model)

    async def failed() -> str:
        task = await t.client.get_task(task_id)
        assert task is not None
        return str(task["error"]) if task["state"] == "FAILED" else ""

    errors = json.loads(await until(failed))
    (error,) = errors.values()
    return str(error)


async def a_model_cannot_be_changed_while_deploying(t: Target) -> None:
    model = await t.model()

    async def refused_once() -> MLError | None:
        await t.client.deploy_model(model)
        try:
            await t.client.update_model(model, {"description": "too early"})
        except MLError as error:
            return error
        await t.state(model, "DEPLOYED")
        return None

    refused = await until(refused_once)
    assert refused.code is MLCode.BUSY
    assert refused.message == (
        f"Model is deploying. Please wait for the model to complete deployment. model ID {model}"
    )
    await t.state(model, "DEPLOYED")


async def a_loaded_model_follows_its_connector_in_place(t: Target) -> None:
    model, connector = await t.model(), await t.connector()
    await t.deployed(model)
    await t.change(model, {"connector_id": connector, "description": "swapped"})
    document = await t.document("model", model)
    assert (document["model_state"], document["connector_id"]) == ("DEPLOYED", connector)
    assert await t.client.loaded_nodes(model) == 1


async def deploying_a_loaded_model_loads_nothing_again(t: Target) -> None:
    model = await t.model()
    await t.deployed(model)
    await t.change(model, {"connector_id": "missing1"})
    assert (await t.document("model", model))["model_state"] == "DEPLOYED"
    task_id = await t.client.deploy_model(model)

    async def done() -> str:
        task = await t.client.get_task(task_id)
        assert task is not None
        return str(task["state"]) if task["state"] in {"COMPLETED", "FAILED"} else ""

    assert await until(done) == "COMPLETED"
    await t.state(model, "DEPLOYED")


async def predicting_is_refused(t: Target) -> None:
    setting = {"is_auto_deploy_enabled": False, "model_ttl_minutes": -1}
    model = await t.model(deploy_setting=setting)
    answer = await t.raw("POST", f"{ML}/models/{model}/_predict", {"parameters": {"input": "[]"}})
    words = f"Auto deployment disabled for this model, please deploy model first Model ID: {model}"
    assert answer.error == (400, "illegal_argument_exception", words)
    await t.deployed(model)
    await t.change(model, {"is_enabled": False})
    answer = await t.raw("POST", f"{ML}/models/{model}/_predict", {"parameters": {"input": "[]"}})
    assert answer.error == (403, "status_exception", "Model is disabled.")


async def predictions_read_texts_only_at_their_algorithm(t: Target) -> None:
    model = await t.model()
    await t.deployed(model)
    texts, parameters = {"text_docs": ["hello"]}, {"parameters": {"input": "[]"}}
    illegal = "illegal_argument_exception"
    cases = (
        (
            f"{ML}/models/{model}/_predict",
            texts,
            'Invalid payload: {"input": ${parameters.input}, "model": "m"}',
        ),
        (f"{ML}/_predict/text_embedding/{model}", parameters, "Empty text docs"),
        (f"{ML}/_predict/text_similarity/{model}", texts, "No query text was provided"),
    )
    for path, body, words in cases:
        answer = await t.raw("POST", path, body)
        assert answer.error == (400, illegal, words), path
    with pytest.raises(MLError) as refused:
        await t.client.predict("missing1", parameters)
    assert refused.value.code is MLCode.NOT_FOUND


CHECKS = (
    a_model_goes_through_its_life,
    models_asked_for_at_the_same_time_are_told_apart,
    undeploying_says_whether_it_was_loaded,
    the_answer_to_deploy_says_completed_whatever_comes_of_it,
    a_failed_deploy_fails_for_ever_until_it_is_undeployed,
    a_model_cannot_be_changed_while_deploying,
    a_loaded_model_follows_its_connector_in_place,
    deploying_a_loaded_model_loads_nothing_again,
    predicting_is_refused,
    predictions_read_texts_only_at_their_algorithm,
)
