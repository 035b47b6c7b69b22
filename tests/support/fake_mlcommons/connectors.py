"""Connectors."""

from __future__ import annotations

import json
import re
from typing import Any

from .cluster import Call, Cluster, text
from .documents import Doc
from .refusals import illegal, refused
from .searching import search
from .settings import check_trusted
from .word_index import words

_PROTOCOLS = {"aws_sigv4", "http", "mcp_sse", "mcp_streamable_http"}
_TYPES = {"PREDICT", "EXECUTE", "BATCH_PREDICT", "CANCEL_BATCH_PREDICT", "BATCH_PREDICT_STATUS"}
_FIELDS = (
    "method",
    "url",
    "headers",
    "request_body",
    "pre_process_function",
    "post_process_function",
    "name",
)


async def create_connector(cluster: Cluster, call: Call) -> Doc:
    """POST /connectors/_create."""
    body = call.body or {}
    if body.get("dry_run"):
        return {"connector_id": "dryRunConnector"}
    doc = new_connector(cluster, body)
    doc |= cluster.access("connector", body, call.user, "connector")
    if "provisioned_by" in body and cluster.release >= (3, 7):
        doc["provisioned_by"] = body["provisioned_by"]
    id_ = cluster.chosen_id(body, "connector", cluster.connectors)
    doc["created_time"] = doc["last_updated_time"] = cluster.now()
    cluster.connectors.put(id_, doc)
    return {"connector_id": id_}


def new_connector(cluster: Cluster, body: Doc) -> Doc:
    """Read a connector that is to be made, alone or inside a model."""
    name = text(body, "name")
    for field in ("name", "version", "protocol"):
        if body.get(field) is None:
            raise illegal(f"Connector {field} is null")
    cluster.check_text("Model connector name", name, required=True)
    cluster.check_text("Model connector description", text(body, "description"))
    _check_protocol(cluster, str(body["protocol"]))
    doc: Doc = {
        "name": name,
        "version": str(body["version"]),
        "protocol": body["protocol"],
        "parameters": _parameters(body.get("parameters") or {}),
        "credential": _credential(body),
    }
    if "description" in body:
        doc["description"] = body["description"]
    if "actions" not in body:
        raise illegal("No actions configured for this connector")
    doc["actions"] = [_action(action) for action in body["actions"]]
    _check_urls(cluster, doc)
    if "client_config" in body and cluster.release >= (2, 13):
        doc["client_config"] = _client_config(cluster, body["client_config"])
    return doc


async def get_connector(cluster: Cluster, call: Call) -> Doc:
    """GET /connectors/{id}."""
    return shown(_found(cluster, call.id))


async def search_connectors(cluster: Cluster, call: Call) -> Doc:
    """POST /connectors/_search."""
    return search(cluster.connectors, call.body, shown, failed="search_phase_execution_exception")


async def update_connector(cluster: Cluster, call: Call) -> Doc:
    """PUT /connectors/{id}: parameters and credentials merge, actions and client_config replace."""
    doc = _found(cluster, call.id)
    loaded = [id_ for id_ in _apparent_users(cluster, call.id) if id_ in cluster.loaded]
    if loaded:
        raise refused(400 if cluster.release >= (2, 12) else 500, _in_use(loaded, "undeploy"))
    changes = changed_connector(cluster, doc, call.body or {})
    changes["last_updated_time"] = cluster.now()
    return cluster.connectors.merge(call.id, changes, refresh=cluster.refreshes_updates)


def changed_connector(cluster: Cluster, doc: Doc, body: Doc) -> Doc:
    """Read the changes of a connector, alone or inside a model."""
    changes: Doc = {}
    for field in ("name", "description", "version", "protocol"):
        if field in body:
            changes[field] = text(body, field, update=True)
    if "parameters" in body:
        changes["parameters"] = _parameters(body["parameters"])
    if "credential" in body:
        changes["credential"] = {
            key: text(body["credential"], key, update=True) for key in body["credential"]
        }
    if "actions" in body:
        changes["actions"] = [_action(action) for action in body["actions"]]
    if "client_config" in body and cluster.release >= (2, 13):
        changes["client_config"] = _client_config(cluster, body["client_config"])
    parameters = {**doc["parameters"], **changes.get("parameters", {})}
    _check_urls(cluster, {**doc, **changes, "parameters": parameters})
    return changes


async def delete_connector(cluster: Cluster, call: Call) -> Doc:
    """DELETE /connectors/{id}: refused while a model seems to use it."""
    if not cluster.connectors.exists:
        if cluster.release < (3, 0):
            raise refused(500, "Failed to delete data object from index .plugins-ml-connector")
        raise refused(404, "Failed to find connector")
    users = _apparent_users(cluster, call.id)
    if users:
        raise refused(409 if cluster.release >= (2, 12) else 500, _in_use(users, "delete or update"))
    return cluster.connectors.delete(call.id)


def shown(doc: Doc) -> Doc:
    """Leave out what is never shown."""
    return {key: value for key, value in doc.items() if key != "credential"}


def serving(cluster: Cluster, id_: str) -> Doc | None:
    """Return a connector by its own id, or by that of the model that it belongs to."""
    own: Doc | None = cluster.models.docs.get(id_, {}).get("connector")
    return cluster.connectors.docs.get(id_) or own


def resolve(template: str, parameters: Doc) -> str:
    """Fill in ${parameters.x}; what is unknown stays as it is."""
    return re.sub(r"\$\{parameters\.([^}]+)\}", lambda m: str(parameters.get(m[1], m[0])), template)


def _found(cluster: Cluster, id_: str) -> Doc:
    if not cluster.connectors.exists:
        raise refused(404, "Failed to find connector")
    doc = cluster.connectors.docs.get(id_)
    if doc is None:
        raise refused(404, f"Failed to find connector with the provided connector id: {id_}")
    return doc


def _apparent_users(cluster: Cluster, id_: str) -> list[str]:
    """Return the first ten models whose connector shares a *word* with this id: `connector_id` is analysed.

    Asked of a search, so an updated model counts with the connector that it had a moment ago.
    """
    tokens = set(words(id_))
    models = cluster.models.with_a_word(id_)
    found = (m for m, doc in models if tokens & set(words(doc.get("connector_id", ""))))
    return list(found)[:10]


def _in_use(models: list[str], way_out: str) -> str:
    return (
        f"{len(models)} models are still using this connector, please {way_out} the models first: "
        f"[{', '.join(models)}]"
    )


def _check_protocol(cluster: Cluster, protocol: str) -> None:
    if protocol in _PROTOCOLS:
        return
    if cluster.release < (3, 0):
        raise illegal(f"Can't find class for type {protocol}")
    raise illegal(f"Unsupported connector protocol. Please use one of [{', '.join(sorted(_PROTOCOLS))}]")


def _parameters(parameters: Doc) -> dict[str, str]:
    """Everything becomes text: numbers, booleans, null, objects as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for key, value in parameters.items()
    }


def _credential(body: Doc) -> Doc:
    credential = body.get("credential")
    if not credential:
        raise illegal("Connector credential is null or empty list")
    if body["protocol"] == "aws_sigv4" and not {"access_key", "secret_key"} <= credential.keys():
        raise illegal("Missing credential")
    return {key: text(credential, key) for key in credential}


def _action(action: Doc) -> Doc:
    type_ = str(action.get("action_type", "")).upper()
    if type_ not in _TYPES:
        raise illegal(
            f"No enum constant org.opensearch.ml.common.connector.ConnectorAction.ActionType.{type_}"
        )
    for field in ("method", "url"):
        if action.get(field) is None:
            raise illegal(f"{field} can't be null")
    return {"action_type": type_} | {field: action[field] for field in _FIELDS if field in action}


def _check_urls(cluster: Cluster, doc: Doc) -> None:
    for action in doc["actions"]:
        check_trusted(cluster, resolve(action["url"], doc["parameters"]))


def _client_config(cluster: Cluster, given: Doc) -> Doc:
    """Fill in the defaults; the unit of the time-outs is not the same in all versions."""
    timeout = 30 if cluster.release >= (3, 0) else 30_000
    defaults: dict[str, Any] = {
        "max_connection": 30,
        "connection_timeout": timeout,
        "read_timeout": timeout,
    }
    if cluster.release >= (2, 15):
        defaults |= {
            "retry_backoff_millis": 200,
            "retry_timeout_seconds": 30,
            "max_retry_times": 0,
            "retry_backoff_policy": "constant",
        }
    if cluster.release >= (3, 5):
        defaults["skip_ssl_verification"] = False
    return {key: given.get(key, default) for key, default in defaults.items()}
