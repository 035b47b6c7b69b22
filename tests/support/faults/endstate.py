"""What must be true when all has come to rest (Q1 to Q7): what one server says, compared with the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
_KINDS: Final = {"mlmodelgroups": "model_groups", "mlconnectors": "connectors", "remotemodels": "models"}
_MOVING: Final = re.compile(
    r"time|version|seq_no|primary_term|worker|hash|content|retry|auto_redeploy|^model_id$"
)
"""A model has its own id in it once it was changed."""


async def wrong(users: Users) -> list[str]:
    """Return what is wrong with the state of both servers, everybody being at rest."""
    objects, remote = await users.everything(), await users.remote()
    return [
        *_one_each(objects, remote),
        *_adopted(objects, remote, users),
        *_no_leak(objects, remote, users),
        *_no_loss(remote, users),
        *_ready_is_true(objects, remote),
        *_exported(objects, await users.exports()),
        *_reasons(objects),
    ]


async def normalised(users: Users) -> Doc:
    """Return the end state without ids and times: equal to that of a run without faults."""
    objects, remote = await users.everything(), await users.remote()
    names = {
        id_: f"{kind}-{whose(source)}" for kind, found in remote.items() for id_, source in found.items()
    }
    documents = sorted(
        repr((names[id_], _plain(source, names))).replace(users.namespace, "NAMESPACE")
        for found in remote.values()
        for id_, source in found.items()
    )
    conditions = {
        name: sorted((each["type"], each["status"], each["reason"]) for each in _conditions(body))
        for name, body in objects.items()
    }
    owners = {body["metadata"]["uid"]: name for name, body in objects.items()}
    exports = [repr(_plain(export, {**names, **owners})) for export in await users.exports()]
    settings = await users.settings()
    return {"remote": documents, "conditions": conditions, "settings": settings, "exports": exports}


def whose(source: Mapping[str, Any]) -> str:
    """Say whose a remote object is, the same in every run."""
    found = MARKER.search(str(source.get("description", "")))
    return found[2] if found is not None else f"of {source['name']}"


def _one_each(objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]]) -> Iterator[str]:
    for name, body in objects.items():
        kind = _KINDS.get(name.split("/")[0])
        if kind is None:
            continue
        uid = body["metadata"]["uid"].replace("-", "")
        owned = [id_ for id_, source in remote[kind].items() if uid in str(source.get("description", ""))]
        status = body.get("status") or {}
        recorded = status.get("id")
        if status.get("origin") == "Adopted":
            continue
        if owned != [recorded]:
            yield f"Q1: {name} has {owned} in OpenSearch, its status names {recorded}"


def _adopted(
    objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]], users: Users
) -> Iterator[str]:
    for name, body in objects.items():
        status, wish = body.get("status") or {}, body["spec"].get("adopt") or {}
        if status.get("origin") != "Adopted":
            if wish and wish.get("ifMissing") != "Create":
                yield f"Q1: {name} has not adopted {wish}"
            continue
        kind, id_ = _KINDS[name.split("/")[0]], str(status.get("id"))
        source = remote[kind].get(id_, {})
        what = {field: value for field, value in wish.items() if field in {"id", "name"}}
        if id_ not in users.foreign[kind] or what not in ({"id": id_}, {"name": source.get("name")}):
            yield f"Q1: {name} has adopted {id_}, {source.get('name')}; its spec says {wish}"


def _no_leak(
    objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]], users: Users
) -> Iterator[str]:
    uids = {body["metadata"]["uid"].replace("-", "") for body in objects.values()}
    for kind, found in remote.items():
        for id_, source in found.items():
            marked = MARKER.search(str(source.get("description", "")))
            if id_ in users.foreign[kind]:
                if marked is not None and marked[1] in uids:
                    yield f"A3: {kind} {id_} of somebody else has got our mark"
            elif marked is None:
                yield f"Q2: {kind} {id_} belongs to nobody"
            elif marked[1] not in uids | users.retained:
                yield f"Q2: {kind} {id_} is left of an object that is gone"


def _no_loss(remote: Mapping[str, Mapping[str, Doc]], users: Users) -> Iterator[str]:
    for kind, ids in users.foreign.items():
        for id_ in ids - remote[kind].keys():
            yield f"A3: {kind} {id_} of somebody else is gone"
    sources = [source for found in remote.values() for source in found.values()]
    marks = " ".join(str(source.get("description", "")) for source in sources)
    for uid in users.retained:
        if uid not in marks:
            yield f"A3: the object of {uid} was to be retained and is gone"


def _ready_is_true(objects: Mapping[str, Doc], remote: Mapping[str, Mapping[str, Doc]]) -> Iterator[str]:
    for name, body in objects.items():
        status, spec = body.get("status") or {}, body["spec"]
        if not is_ready(body):
            yield f"Q3, Q6: {name} is not at rest: {status.get('conditions')} {status.get('pending')}"
            continue
        kind = _KINDS.get(name.split("/")[0])
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
    spec = objects[name]["spec"]
    wanted = (
        _id_of(objects, "mlconnectors", spec.get("connectorRef")),
        _id_of(objects, "mlmodelgroups", spec.get("modelGroupRef")),
        "DEPLOYED",
    )
    shown = (source.get("connector_id"), source.get("model_group_id"), source.get("model_state"))
    if shown != wanted:
        yield f"Q3: {name} is Ready with {shown} instead of {wanted}"
    if "connector" in spec and source["connector"]["parameters"] != spec["connector"]["parameters"]:
        yield f"Q3: {name} is Ready with other parameters of its connector"


def _id_of(objects: Mapping[str, Doc], plural: str, reference: Mapping[str, str] | None) -> str | None:
    if reference is None:
        return None
    id_: str | None = objects[f"{plural}/{reference['name']}"]["status"].get("id")
    return id_


def _exported(objects: Mapping[str, Doc], exports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where a model's id is wanted it stands, and nowhere else; without its model Kubernetes removes it."""
    for name, body in objects.items():
        uid = body["metadata"]["uid"]
        owned = [export for export in exports if export["owner"] == uid]
        wish = body["spec"].get("exportID")
        if not is_ready(body) or (wish is None and not owned):
            continue
        data = {wish["key"]: body["status"]["id"]} if wish else {}
        place = [{"kind": wish["kind"], "name": wish["name"], "data": data, "owner": uid}] if wish else []
        if owned != place:
            yield f"Q3: {name} is exported as {owned} instead of {place}"


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
