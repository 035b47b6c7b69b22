"""Deploy, undeploy, profile, predict: what is in the nodes' memory, and what the document says of it."""

from __future__ import annotations

import json
from typing import Any

from .cluster import Call, Cluster
from .connectors import resolve, serving
from .documents import Doc
from .refusals import illegal, refused
from .settings import is_on

DUPLICATE = "Duplicate deploy model task"


async def deploy_model(cluster: Cluster, call: Call) -> Doc:
    """POST /models/{id}/_deploy: `status` is COMPLETED whatever comes of it."""
    if call.id not in cluster.models.docs:
        raise refused(404, "Failed to find model")
    return {"task_id": start_deploy(cluster, call.id), "task_type": "DEPLOY_MODEL", "status": "COMPLETED"}


def start_deploy(cluster: Cluster, model_id: str) -> str:
    """Begin, and end after `deploy_seconds` as the next of `deploy_outcomes` says."""
    now = cluster.now()
    task_id = cluster.new_id()
    cluster.tasks.put(
        task_id,
        {
            "model_id": model_id,
            "task_type": "DEPLOY_MODEL",
            "function_name": "REMOTE",
            "state": "RUNNING",
            "worker_node": list(cluster.nodes),
            "create_time": now,
            "last_update_time": now,
            "is_async": True,
        },
    )
    cluster.models.merge(
        model_id,
        {
            "model_state": "DEPLOYING",
            "planning_worker_node_count": len(cluster.nodes),
            "current_worker_node_count": len(cluster.nodes) if model_id in cluster.loaded else 0,
            "planning_worker_nodes": list(cluster.nodes),
            "deploy_to_all_nodes": True,
            "last_updated_time": now,
        },
    )
    outcome = cluster.deploy_outcomes.popleft() if cluster.deploy_outcomes else "deployed"
    if outcome != "stuck":
        cluster.later(cluster.deploy_seconds, lambda: _finish(cluster, model_id, task_id, outcome))
    return task_id


async def undeploy_model(cluster: Cluster, call: Call) -> Doc:
    """POST /models/{id}/_undeploy: does not stop a deploy that is under way, which then wins."""
    if call.id not in cluster.models.docs:
        raise refused(404, "Failed to find model")
    found = cluster.loaded.pop(call.id, None) is not None
    cluster.stuck.discard(call.id)
    cluster.stuck_on_one.discard(call.id)
    doc = cluster.models.docs[call.id]
    doc.pop("planning_worker_nodes", None)
    now = cluster.now()
    cluster.models.merge(
        call.id,
        {
            "model_state": "UNDEPLOYED",
            "planning_worker_node_count": 0,
            "current_worker_node_count": 0,
            "last_updated_time": now,
        },
    )
    result = "undeployed" if found else "not_found"
    return {node: {"stats": {call.id: result}} for node in cluster.nodes}


async def undeploy_models(cluster: Cluster, call: Call) -> Doc:
    """POST /models/_undeploy; of several models at once, known ones are not implemented."""
    ids = (call.body or {}).get("model_ids") or []
    if len(ids) > 1 and is_on(cluster, "model_access_control_enabled"):
        raise illegal("only support undeploy one model")
    return {node: {"stats": dict.fromkeys(ids, "not_found")} for node in cluster.nodes}


async def profile_model(cluster: Cluster, call: Call) -> Doc:
    """GET /profile/models/{ids}?view=model: `{}` when no node knows any of the models."""
    known = [id_ for id_ in call.id.split(",") if id_ in cluster.loaded or id_ in cluster.stuck]
    return {"models": {id_: _profile(cluster, id_) for id_ in known}} if known else {}


def _profile(cluster: Cluster, model_id: str) -> Doc:
    loaded = model_id in cluster.loaded
    state = {
        "model_state": "DEPLOYED",
        "predictor": "org.opensearch.ml.engine.algorithms.remote.RemoteModel@1",
    }
    profile: Doc = {"target_worker_nodes": list(cluster.nodes)}
    if loaded:
        profile["worker_nodes"] = list(cluster.nodes)
    profile["nodes"] = {node: state if loaded else {"model_state": "DEPLOYING"} for node in cluster.nodes}
    return profile


async def predict(cluster: Cluster, call: Call) -> Doc:
    """POST /models/{id}/_predict, /_predict/{algorithm}/{id}: deploys by itself where it may.

    Without an answer of the test's it says which connector has served; a list of numbers is an embedding.
    """
    _check_texts(call)
    doc = cluster.models.docs.get(call.id)
    if doc is None:
        raise refused(404, "Failed to find model")
    if doc.get("is_enabled") is False:
        raise refused(403, "Model is disabled.")
    if call.id not in cluster.loaded:
        if cluster.release < (2, 13) or not is_on(cluster, "model_auto_deploy.enable"):
            raise illegal("Model not ready yet. Please deploy the model first.")
        if doc.get("deploy_setting", {}).get("is_auto_deploy_enabled") is False:
            words = "Auto deployment disabled for this model, please deploy model first Model ID:"
            raise illegal(f"{words} {call.id}")
        if serving(cluster, _serves(call.id, doc)) is None:
            raise refused(404, f"Failed to find connector:{doc['connector_id']}")
        start_deploy(cluster, call.id)
        cluster.loaded[call.id] = _serves(call.id, doc)
    connector_id = cluster.loaded[call.id]
    _check_payload(cluster, call, connector_id)
    cluster.predictions.append((call.id, connector_id))
    status, answer = _model_answer(cluster, connector_id)
    if status >= 400:
        raise refused(status, f"Error from remote service: {json.dumps(answer)}")
    output: Doc = {"name": "response", "dataAsMap": answer}
    if isinstance(answer, list):
        output = {
            "name": "sentence_embedding",
            "data_type": "FLOAT32",
            "shape": [len(answer)],
            "data": answer,
        }
    return {"inference_results": [{"output": [output], "status_code": status}]}


def _check_texts(call: Call) -> None:
    """Refuse what the algorithm in the path cannot read."""
    body = call.body or {}
    if call.path.endswith("/_predict"):
        return
    if "/text_similarity/" in call.path and not body.get("query_text"):
        raise illegal("No query text was provided")
    if not body.get("text_docs"):
        raise illegal(
            "Empty text docs" if "/text_embedding/" in call.path else "No text documents were provided"
        )


def _check_payload(cluster: Cluster, call: Call, connector_id: str) -> None:
    """Refuse a request that leaves a parameter of the template open; texts fill it by pre-processing."""
    connector = serving(cluster, connector_id) or {"actions": [{}], "parameters": {}}
    template = connector["actions"][0].get("request_body")
    if template is None or not call.path.endswith("/_predict"):
        return
    given = {**connector["parameters"], **((call.body or {}).get("parameters") or {})}
    payload = resolve(template, given)
    if "${parameters." in payload:
        raise illegal(f"Invalid payload: {payload}")


def _model_answer(cluster: Cluster, connector_id: str) -> tuple[int, Any]:
    connector = serving(cluster, connector_id)
    url = resolve(connector["actions"][0]["url"], connector["parameters"]) if connector else ""
    accepted = cluster.model_keys.get(url)
    if connector and accepted is not None and accepted.isdisjoint(connector["credential"].values()):
        return 401, {"error": "Incorrect API key"}
    return cluster.model_answers.get(url, (200, {"connector_id": connector_id}))


def _serves(model_id: str, doc: Doc) -> str:
    """Return the id of the connector that a model calls; its own one has the id of the model."""
    return model_id if "connector" in doc else str(doc["connector_id"])


def _finish(cluster: Cluster, model_id: str, task_id: str, outcome: str) -> None:
    doc = cluster.models.docs.get(model_id)
    if doc is None:
        return
    error = None
    if model_id in cluster.loaded:
        pass  # a node that has the model does nothing, and does not read its connector again
    elif model_id in cluster.stuck:
        error = DUPLICATE
    elif serving(cluster, _serves(model_id, doc)) is None:
        error = f"Failed to find connector:{doc['connector_id']}"
    elif outcome == "failed":
        error = "the fake was told to fail"
    blocked = error is None and model_id in cluster.stuck_on_one
    now = cluster.now()
    if error is not None:
        cluster.stuck.add(model_id)
        changes: Doc = {"model_state": "DEPLOY_FAILED", "current_worker_node_count": 0}
    else:
        cluster.loaded.setdefault(model_id, _serves(model_id, doc))
        some = len(cluster.nodes) - (1 if outcome == "partial" or blocked else 0)
        state = "DEPLOYED" if some == len(cluster.nodes) else "PARTIALLY_DEPLOYED"
        changes = {"model_state": state, "current_worker_node_count": some, "auto_redeploy_retry_times": 0}
        changes |= {
            "planning_worker_node_count": len(cluster.nodes),
            "planning_worker_nodes": [*cluster.nodes],
        }
    cluster.models.merge(model_id, changes | {"last_deployed_time": now, "last_updated_time": now})
    task: Doc = {"state": "COMPLETED", "last_update_time": now}
    if error is not None:
        task |= {
            "state": "FAILED",
            "error": json.dumps(dict.fromkeys(cluster.nodes, error), separators=(",", ":")),
        }
    elif blocked:
        task |= {
            "state": "COMPLETED_WITH_ERROR",
            "error": json.dumps({cluster.nodes[-1]: DUPLICATE}, separators=(",", ":")),
        }
    cluster.later(cluster.task_lag, lambda: _finish_task(cluster, task_id, task))


def _finish_task(cluster: Cluster, task_id: str, changes: Doc) -> None:
    if task_id in cluster.tasks.docs:
        cluster.tasks.merge(task_id, changes)
