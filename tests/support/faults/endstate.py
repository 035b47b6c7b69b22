"""What must be true when all has come to rest (Q1 to Q7): what one server says, compared with the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .oracles import MARKER
from .users import Doc, Users, is_ready

_REASONS: Final = frozenset(
    re.findall(
        r"^#+ (?:`)?([A-Z][A-Za-z]+)(?:`)?$",
        (Path(__file__).parents[3] / "docs" / "reasons.md").read_text("utf-8"),
        re.MULTILINE,
    )
)
_ROLES: Final = {"mlmodelgroups": "model_groups", "mlconnectors": "connectors", "remotemodels": "models"}
_MOVING: Final = re.compile(r"time|version|seq_no|primary_term|worker|hash|content|retry|auto_redeploy")


async def wrong(users: Users) -> list[str]:
    """Return what is wrong with the state of both servers, everybody being at rest."""
    objects, remote = await users.everything(), await users.remote()
    return [
        *_one_each(objects, remote),
        *_no_leak(objects, remote, users.foreign),
        *_ready_is_true(objects, remote),
        *_reasons(objects),
    ]


async def normalised(users: Users) -> Doc:
    """Return the end state without ids and times: equal to that of a run without faults."""
    objects, remote = await users.everything(), await users.remote()
    names = {id_: f"{kind}-{role(source)}" for kind, found in remote.items() for id_, source in found.items()}
    documents = sorted(
        repr((names[id_], _plain(source, names))).replace(users.namespace, "NAMESPACE")
        for found in remote.values()
        for id_, source in found.items()
    )
    conditions = {
        name: sorted((each["type"], each["status"], each["reason"]) for each in _conditions(body))
        for name, body in objects.items()
    }
    return {"remote": documents, "conditions": conditions, "settings": await users.settings()}


def role(source: Mapping[str, Any]) -> str:
    """Say whose a remote object is."""
    found = MARKER.search(str(source.get("description", "")))
    return found[2] if found is not None else "foreign"


def _one_each(objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]]) -> Iterator[str]:
    for name, body in objects.items():
        kind = _ROLES.get(name.split("/")[0])
        if kind is None:
            continue
        uid = body["metadata"]["uid"].replace("-", "")
        owned = [id_ for id_, source in remote[kind].items() if uid in str(source.get("description", ""))]
        recorded = (body.get("status") or {}).get("id")
        if owned != [recorded]:
            yield f"Q1: {name} has {owned} in OpenSearch, its status names {recorded}"


def _no_leak(
    objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]], foreign: Mapping[str, str]
) -> Iterator[str]:
    uids = {body["metadata"]["uid"].replace("-", "") for body in objects.values()}
    for kind, found in remote.items():
        for id_, source in found.items():
            marked = MARKER.search(str(source.get("description", "")))
            if marked is not None and marked[1] not in uids:
                yield f"Q2: {kind} {id_} is left of an object that is gone"
            if marked is None and id_ != foreign.get(kind):
                yield f"Q2: {kind} {id_} belongs to nobody"
    for kind, id_ in foreign.items():
        if id_ not in remote[kind]:
            yield f"A3: {kind} {id_} of somebody else is gone"


def _ready_is_true(objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]]) -> Iterator[str]:
    for name, body in objects.items():
        status, spec = body.get("status") or {}, body["spec"]
        if not is_ready(body):
            yield f"Q3, Q6: {name} is not at rest: {status.get('conditions')} {status.get('pending')}"
            continue
        kind = _ROLES.get(name.split("/")[0])
        source = remote[kind].get(status.get("id", "")) if kind else None
        if source is None:
            continue
        if not str(source["description"]).startswith(spec.get("description", "")):
            yield f"Q3: {name} is Ready with another description"
        if kind == "connectors" and source["parameters"] != spec["parameters"]:
            yield f"Q3: {name} is Ready with other parameters"
        if kind == "models":
            yield from _model_is_true(name, source, objects)


def _model_is_true(name: str, source: Doc, objects: Mapping[str, Doc]) -> Iterator[str]:
    wanted = (
        objects["mlconnectors/connector"]["status"].get("id"),
        objects["mlmodelgroups/group"]["status"].get("id"),
        "DEPLOYED",
    )
    shown = (source.get("connector_id"), source.get("model_group_id"), source.get("model_state"))
    if shown != wanted:
        yield f"Q3: {name} is Ready with {shown} instead of {wanted}"


def _reasons(objects: Mapping[str, Doc]) -> Iterator[str]:
    for name, body in objects.items():
        for condition in _conditions(body):
            if condition["reason"] not in _REASONS and condition["status"] != "True":
                yield f"Q7: {name} has the reason {condition['reason']}, which no page explains"


def _conditions(body: Doc) -> list[Doc]:
    found: list[Doc] = (body.get("status") or {}).get("conditions", [])
    return found


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner, names) for key, inner in sorted(value.items()) if not _MOVING.search(key)}
    if isinstance(value, list):
        return [_plain(inner, names) for inner in value]
    text = MARKER.sub("MARKER", str(value))
    return names.get(text, text)
