"""Models: register, read, change, delete."""

from __future__ import annotations

import asyncio
from typing import Any

from .cluster import Call, Cluster, text
from .connectors import changed_connector, new_connector, shown
from .deploys import start_deploy
from .documents import Doc
from .groups import by_name, put_group
from .pipelines import check_unused
from .refusals import illegal, refused
from .searching import search
from .settings import setting

_UNITS = {"NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"}
_COPIED = {"guardrails": (2, 13), "interface": (2, 14), "deploy_setting": (2, 13)}
"""With the release that brought each; an older one drops it without a word."""
_BUSY_STATES = {"DEPLOYING", "DEPLOYED", "PARTIALLY_DEPLOYED"}


async def register_model(cluster: Cluster, call: Call) -> Doc:
    """POST /models/_register, for remote models: group, task, group's version, model, in this order."""
    body = call.body or {}
    doc = _new_model(cluster, body)
    group_id = _group_of(cluster, body, str(doc["name"]))
    task_id = cluster.new_id()
    cluster.tasks.put(task_id, _task(cluster, "REGISTER_MODEL", is_async=False))
    if cluster.registers >= int(setting(cluster, "max_register_model_tasks_per_node")):
        raise refused(500, "exceed max running task limit", "m_l_limit_exceeded_exception")
    cluster.registers += 1
    try:
        await _bump(cluster, group_id)
    finally:
        cluster.registers -= 1
    id_ = cluster.chosen_id(body, "model", cluster.models)
    now = cluster.now()
    doc |= {
        "model_group_id": group_id,
        "algorithm": "REMOTE",
        "model_version": str(cluster.groups.docs[group_id]["latest_version"]),
        "model_state": "REGISTERED",
        "created_time": now,
        "last_updated_time": now,
        "is_hidden": False,
    }
    cluster.models.put(id_, doc)
    done = {"state": "COMPLETED", "model_id": id_, "last_update_time": now}
    cluster.later(cluster.task_lag, lambda: _finish(cluster, task_id, done))
    if call.query.get("deploy") == "true":
        start_deploy(cluster, id_)
    return {"task_id": task_id, "status": "CREATED", "model_id": id_}


async def get_model(cluster: Cluster, call: Call) -> Doc:
    """GET /models/{id}."""
    if not cluster.models.exists:
        raise refused(404, "Fail to find model")
    doc = cluster.models.docs.get(call.id)
    if doc is None:
        raise refused(404, f"Failed to find model with the provided model id: {call.id}")
    return shown_model(doc)


async def search_models(cluster: Cluster, call: Call) -> Doc:
    """POST /models/_search."""
    return search(cluster.models, call.body, shown_model, failed="status_exception")


async def update_model(cluster: Cluster, call: Call) -> Doc:
    """PUT /models/{id}: also while deployed; a connector that is not there is stored without a word."""
    doc = cluster.models.docs.get(call.id)
    if doc is None:
        raise refused(404, f"Failed to find model to update with the provided model id: {call.id}")
    body = call.body or {}
    changes: Doc = {"model_id": call.id}
    for field, words in (("name", "Model name"), ("description", "Model description")):
        value = text(body, field, update=True)
        if value is not None:
            cluster.check_text(words, value)
            changes[field] = value
    changes |= _common_fields(cluster, body)
    if "deploy_setting" in changes and cluster.release >= (2, 14):
        changes["deploy_setting"] = {"model_ttl_minutes": -1, **changes["deploy_setting"]}
    if "is_enabled" in body:
        changes["is_enabled"] = body["is_enabled"]
    connector_id = text(body, "connector_id", update=True)
    if doc["model_state"] == "DEPLOYING":
        words = "Model is deploying. Please wait for the model to complete deployment. model ID"
        raise refused(409, f"{words} {call.id}")
    changes |= _connector_fields(cluster, doc, body, connector_id)
    group_id = text(body, "model_group_id", update=True)
    if group_id not in {None, doc["model_group_id"]}:
        changes |= _move(cluster, str(group_id))
    if connector_id in cluster.connectors.docs and call.id in cluster.loaded:
        cluster.loaded[call.id] = str(connector_id)
        cluster.stale.pop(call.id, None)
    changes["last_updated_time"] = cluster.now()
    return cluster.models.merge(call.id, changes, refresh=cluster.refreshes_updates)


def shown_model(doc: Doc) -> Doc:
    """Leave out what is never shown."""
    return {**doc, "connector": shown(doc["connector"])} if "connector" in doc else doc


async def delete_model(cluster: Cluster, call: Call) -> Doc:
    """DELETE /models/{id}: refused while it is deployed."""
    doc = cluster.models.docs.get(call.id)
    if doc is None:
        raise refused(404, "Failed to find model")
    if doc["model_state"] in _BUSY_STATES:
        raise refused(
            400 if cluster.release >= (2, 12) else 500,
            "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete",
        )
    check_unused(cluster, call.id)
    return cluster.models.delete(call.id)


async def get_task(cluster: Cluster, call: Call) -> Doc:
    """GET /tasks/{id}."""
    doc = cluster.tasks.docs.get(call.id)
    if doc is None:
        raise refused(404, "Failed to find task")
    return doc


async def search_tasks(cluster: Cluster, call: Call) -> Doc:
    """POST /tasks/_search."""
    return search(cluster.tasks, call.body, lambda doc: doc, failed="search_phase_execution_exception")


async def delete_task(cluster: Cluster, call: Call) -> Doc:
    """DELETE /tasks/{id}."""
    await get_task(cluster, call)
    return cluster.tasks.delete(call.id)


def _new_model(cluster: Cluster, body: Doc) -> Doc:
    name = text(body, "name")
    if name is None:
        raise illegal("model name is null")
    if str(body.get("function_name")).lower() != "remote":
        raise illegal("Wrong function name" if "function_name" in body else "model format is null")
    cluster.check_text("Model name", name, required=True)
    doc: Doc = {"name": name}
    description = text(body, "description")
    if description is not None:
        cluster.check_text("Model description", description)
        doc["description"] = description
    doc |= _common_fields(cluster, body)
    if "is_enabled" in body and cluster.release >= (3, 0):  # 2.19 drops it
        doc["is_enabled"] = body["is_enabled"]
    if "provisioned_by" in body and cluster.release >= (3, 7):
        doc["provisioned_by"] = body["provisioned_by"]
    connector_id = text(body, "connector_id")
    if connector_id is None and "connector" in body:
        return doc | {"connector": new_connector(cluster, body["connector"])}
    if connector_id is None:
        raise illegal("You must provide connector content when creating a remote model without connector id!")
    if connector_id not in cluster.connectors.docs and ("interface" not in body or cluster.release >= (3, 9)):
        raise refused(404, f"Failed to find connector:{connector_id}")
    return doc | {"connector_id": connector_id}


def _connector_fields(cluster: Cluster, doc: Doc, body: Doc, connector_id: str | None) -> Doc:
    """Read what a model is to call; the credential of its own connector, if not sent, is encrypted again."""
    if connector_id is not None and "connector" in doc:
        raise illegal("This remote does not have a connector_id field, maybe it uses an internal connector.")
    if "connector" not in body:
        return {} if connector_id is None else {"connector_id": connector_id}
    if "connector" not in doc:
        if cluster.release < (3, 0):
            raise refused(500, "System Error", "null_pointer_exception")
        words = "The model was created with a connector_id and does not have an inline connector."
        raise refused(400, f"Cannot update connector settings for this model. {words}")
    changes = changed_connector(cluster, doc["connector"], body["connector"])
    stored = doc["connector"]["credential"]
    changes.setdefault("credential", {key: f"AgV4({value})" for key, value in stored.items()})
    return {"connector": changes}


def _common_fields(cluster: Cluster, body: Doc) -> Doc:
    """Read what register and update treat alike."""
    release = cluster.release
    fields: Doc = {name: body[name] for name, since in _COPIED.items() if name in body and release >= since}
    if release < (2, 14) and "deploy_setting" in fields:
        fields["deploy_setting"] = {
            key: value for key, value in fields["deploy_setting"].items() if key != "model_ttl_minutes"
        }
    if "model_config" in body and cluster.release >= (3, 1):  # before it is for local models
        fields["model_config"] = body["model_config"]
    if "rate_limiter" in body and release >= (2, 12):
        if body["rate_limiter"] is None:
            words = "Failed to parse object: expecting token of type [START_OBJECT] but found [VALUE_NULL]"
            raise refused(400, words, "parsing_exception")
        fields["rate_limiter"] = _rate_limiter(body["rate_limiter"])
    return fields


def _rate_limiter(given: dict[str, Any]) -> Doc:
    limiter: Doc = {}
    if "limit" in given:
        try:
            positive = float(given["limit"]) > 0
        except ValueError:
            positive = False
        if not positive:
            raise refused(400, "Limit field must be a positive number.", "parse_exception")
        limiter["limit"] = str(given["limit"])
    if "unit" in given:
        if given["unit"] not in _UNITS:
            raise illegal(f"No enum constant java.util.concurrent.TimeUnit.{given['unit']}")
        limiter["unit"] = given["unit"]
    return limiter


def _group_of(cluster: Cluster, body: Doc, name: str) -> str:
    """Return the group of a new model; without one it joins the group of its name, or makes it."""
    group_id = text(body, "model_group_id")
    if group_id is None:
        group_id = by_name(cluster, name)
        if group_id is None:
            group_id = cluster.new_id()
            put_group(cluster, group_id, name, None, {})
    elif group_id not in cluster.groups.docs:
        raise refused(
            500, f"Model Group Response is empty for {group_id}", "m_l_resource_not_found_exception"
        )
    return group_id


async def _bump(cluster: Cluster, group_id: str) -> None:
    """Count the group's version up; who was overtaken meanwhile is refused."""
    before = cluster.groups.version(group_id)
    if cluster.register_seconds:
        await asyncio.sleep(cluster.register_seconds)
    if cluster.groups.version(group_id) != before:
        if cluster.release < (3, 0):
            raise refused(500, "Failed to update data object in index .plugins-ml-model-group")
        words = f"Document version conflict updating {group_id} in index .plugins-ml-model-group"
        raise refused(409, words)
    _count_up(cluster, group_id)


def _move(cluster: Cluster, group_id: str) -> Doc:
    if group_id not in cluster.groups.docs:
        raise refused(
            404,
            "Failed to find the model group with the provided model group id in the update model input, "
            f"MODEL_GROUP_ID: {group_id}",
        )
    return {"model_group_id": group_id, "model_version": str(_count_up(cluster, group_id))}


def _count_up(cluster: Cluster, group_id: str) -> int:
    version = int(cluster.groups.docs[group_id]["latest_version"]) + 1
    changes: Doc = {"latest_version": version, "last_updated_time": cluster.now()}
    cluster.groups.merge(group_id, changes, refresh=cluster.refreshes_updates)
    return version


def _task(cluster: Cluster, type_: str, *, is_async: bool) -> Doc:
    now = cluster.now()
    return {
        "task_type": type_,
        "function_name": "REMOTE",
        "state": "CREATED",
        "worker_node": [cluster.nodes[0]],
        "create_time": now,
        "last_update_time": now,
        "is_async": is_async,
    }


def _finish(cluster: Cluster, task_id: str, changes: Doc) -> None:
    if task_id in cluster.tasks.docs:
        cluster.tasks.merge(task_id, changes)
