"""Model groups."""

from __future__ import annotations

from .cluster import Call, Cluster, text
from .documents import Doc
from .refusals import illegal, refused
from .searching import search

_WORDS = "The name you provided is already being used by"


async def create_group(cluster: Cluster, call: Call) -> Doc:
    """POST /model_groups/_register."""
    body = call.body or {}
    name = text(body, "name")
    if name is None:
        raise refused(500, "model group name must not be null", "null_pointer_exception")
    cluster.check_text("Model group name", name, required=True)
    cluster.check_text("Model group description", text(body, "description"))
    access = cluster.access("model", body, call.user, "model group")
    taken = by_name(cluster, name)
    if taken is not None:
        raise illegal(f"{_WORDS} a model group with ID: {taken}.")
    id_ = cluster.chosen_id(body, "model_group", cluster.groups)
    put_group(cluster, id_, name, body.get("description"), access)
    return {"model_group_id": id_, "status": "CREATED"}


def put_group(cluster: Cluster, id_: str, name: str, description: str | None, access: Doc) -> None:
    """Write a new group; one that the server makes by itself is public and nobody's."""
    now = cluster.now()
    doc: Doc = {"name": name, "latest_version": 0, "access": "public"}
    if description is not None:
        doc["description"] = description
    cluster.groups.put(id_, doc | access | {"created_time": now, "last_updated_time": now})


def by_name(cluster: Cluster, name: str) -> str | None:
    """Find the group of this name; longer names than 256 are not indexed, so not found."""
    if len(name) > 256:
        return None
    return next((id_ for id_, doc in cluster.groups.with_all_words(name) if doc["name"] == name), None)


async def get_group(cluster: Cluster, call: Call) -> Doc:
    """GET /model_groups/{id}."""
    if not cluster.groups.exists:
        raise refused(404, "Failed to find model group index")
    return _found(cluster, call.id)


async def search_groups(cluster: Cluster, call: Call) -> Doc:
    """POST /model_groups/_search."""
    return search(cluster.groups, call.body, lambda doc: doc, failed="search_phase_execution_exception")


async def update_group(cluster: Cluster, call: Call) -> Doc:
    """PUT /model_groups/{id}: a blank description is ignored."""
    if not cluster.groups.exists:
        raise refused(404, "Failed to find model group")
    _found(cluster, call.id)
    body = call.body or {}
    changes: Doc = {}
    name = text(body, "name", update=True)
    if name is not None:
        cluster.check_text("Model group name", name)
        taken = by_name(cluster, name)
        if taken not in {None, call.id}:
            raise illegal(f"{_WORDS} another model with ID: {taken}. Please provide a different name")
        changes["name"] = name
    description = text(body, "description", update=True)
    if description:
        cluster.check_text("Model group description", description)
        changes["description"] = description
    access = cluster.access("model", body, call.user, "model group")
    if "access_mode" in body or "backend_roles" in body:
        changes |= {key: value for key, value in access.items() if key != "owner"}
    cluster.groups.merge(
        call.id, {**changes, "last_updated_time": cluster.now()}, refresh=cluster.refreshes_updates
    )
    return {"status": "Updated"}


async def delete_group(cluster: Cluster, call: Call) -> Doc:
    """DELETE /model_groups/{id}: refused while it has models."""
    if not cluster.groups.exists:
        if cluster.release < (3, 0):
            raise refused(500, "Failed to delete data object from index .plugins-ml-model-group")
        raise refused(404, "Failed to find model group")
    if any(doc.get("model_group_id") == call.id for _, doc in cluster.models.with_all_words(call.id)):
        status = 409 if cluster.release >= (2, 12) else 500
        raise refused(status, "Cannot delete the model group when it has associated model versions")
    return cluster.groups.delete(call.id)


def _found(cluster: Cluster, id_: str) -> Doc:
    doc = cluster.groups.docs.get(id_)
    if doc is None:
        raise refused(404, f"Failed to find model group with the provided model group id: {id_}")
    return doc
