"""Pipelines and agents: what names models, and what `safe_delete_model` thinks of that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .documents import Doc
from .refusals import Refused, refused
from .searching import search
from .settings import is_on
from .word_index import words

if TYPE_CHECKING:
    from .cluster import Call, Cluster


async def put_ingest_pipeline(cluster: Cluster, call: Call) -> Doc:
    """PUT /_ingest/pipeline/{id}."""
    cluster.ingest_pipelines[call.id] = call.body or {}
    return {"acknowledged": True}


async def put_search_pipeline(cluster: Cluster, call: Call) -> Doc:
    """PUT /_search/pipeline/{id}."""
    cluster.search_pipelines[call.id] = call.body or {}
    return {"acknowledged": True}


async def delete_ingest_pipeline(cluster: Cluster, call: Call) -> Doc:
    """DELETE /_ingest/pipeline/{id}."""
    del cluster.ingest_pipelines[call.id]
    return {"acknowledged": True}


async def delete_search_pipeline(cluster: Cluster, call: Call) -> Doc:
    """DELETE /_search/pipeline/{id}."""
    del cluster.search_pipelines[call.id]
    return {"acknowledged": True}


async def get_ingest_pipelines(cluster: Cluster, call: Call) -> Doc:  # noqa: ARG001 - all handlers are called alike
    """GET /_ingest/pipeline."""
    return _all(cluster.ingest_pipelines)


async def get_search_pipelines(cluster: Cluster, call: Call) -> Doc:  # noqa: ARG001 - all handlers are called alike
    """GET /_search/pipeline."""
    return _all(cluster.search_pipelines)


async def register_agent(cluster: Cluster, call: Call) -> Doc:
    """POST /agents/_register."""
    id_ = cluster.new_id()
    cluster.agents.put(id_, call.body or {})
    return {"agent_id": id_}


async def delete_agent(cluster: Cluster, call: Call) -> Doc:
    """DELETE /agents/{id}."""
    return cluster.agents.delete(call.id)


async def search_agents(cluster: Cluster, call: Call) -> Doc:
    """POST /agents/_search."""
    if not cluster.agents.exists:
        raise refused(404, "no such index [.plugins-ml-agent]", "index_not_found_exception")
    return search(cluster.agents, call.body, lambda doc: doc, failed="status_exception")


def check_unused(cluster: Cluster, model_id: str) -> None:
    """Refuse to delete a model that is used, when `safe_delete_model` is on.

    The server looks at fewer processors than there are, and only at the tools of agents, in whose texts it
    takes a word of the id for the whole (2.19, 3.6 seen).
    """
    if not is_on(cluster, "safe_delete_model"):
        return
    for kind, pipelines in (("ingest", cluster.ingest_pipelines), ("search", cluster.search_pipelines)):
        users = [name for name, body in pipelines.items() if f'"model_id": "{model_id}"' in json.dumps(body)]
        if users:
            raise refused(
                409,
                f"{len(users)} {kind} pipelines are still using this model, please delete or update the "
                f"pipelines first: [{', '.join(users)}]",
            )
    mine = set(words(model_id))
    users = [
        id_ for id_, doc in cluster.agents.docs.items() if mine & set(words(json.dumps(doc.get("tools"))))
    ]
    if users:
        raise refused(
            409,
            f"{len(users)} agents are still using this model, please delete or update the agents first, "
            f"all visible agents are: [{', '.join(users)}]",
        )


def _all(pipelines: dict[str, Doc]) -> Doc:
    if not pipelines:
        raise Refused(404, {})
    return pipelines
