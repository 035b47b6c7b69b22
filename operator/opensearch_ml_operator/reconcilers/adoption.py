"""Adoption: a remote object that was there before becomes a resource's own, by id or by name.

Nothing is written to OpenSearch for it: no marker is put on the object, and what the spec leaves unsaid of
name and description stays as it is. What was adopted is never replaced, and one that goes missing is created
anew only when somebody says so.

A remote object has one resource at most. Who has it on record keeps it; of those that only ask for it the
oldest gets it; and of two that have it on record, as two workers may bring about, the one that has made it,
or the older one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..constants import MARKER, ConditionType, Reason
from ..models.common import Adopt, LifecycleSpec, ManagedStatus
from ..models.snapshot import Snapshot
from . import references
from .conditions import Fact, false, true
from .creation.protocol import describe
from .outcome import Outcome
from .ports import Hit, MLCommons
from .session import Ports, Session

RETRY: Final = 30.0
"""Seconds between looks for something that cannot be adopted yet."""
_MARKER: Final = re.compile(rf" ?\b{MARKER}([0-9a-f]{{32}})[a-z]r[0-9]+\b( [0-9a-f]{{16}}\b)?")


async def adopt(
    session: Session[ManagedStatus],
    client: MLCommons,
    kind: str,
    spec: LifecycleSpec,
    *,
    along: Callable[[Hit], Mapping[str, Any]] = lambda _: {},
) -> Outcome | None:
    """Take the object over that the spec names; None when there is nothing in the way of going on.

    `along` are further status fields to record. An object to be created because it is missing (`ifMissing`)
    goes the way of every create.
    """
    if session.status.id is not None:
        return await _settled(session, client, kind, spec.adopt)
    if spec.adopt is None or session.status.pending is not None:
        return None
    found = await _find(session, client, kind, spec.adopt)
    if found is None:
        return None
    if isinstance(found, Hit):
        # Whoever came just now, or is not known yet after a start, may have it.
        await session.ports.store.read_all(session.snapshot.key.kind, session.snapshot.key.namespace)
        found = _taken(session.ports, session.snapshot, found) or found
    if isinstance(found, Fact):
        return await _shown(session, found)
    # Nobody uses it before it was compared: a connector cannot be changed once a model is deployed on it.
    words = f"{found.id} was adopted just now, and is compared with this resource next."
    comparing = false(ConditionType.SYNCED, Reason.UPDATING, words)
    await session.record(comparing, id=found.id, origin="Adopted", **along(found))
    session.event("Adopted", f"{found.id} in OpenSearch belongs to this resource now; nothing was changed.")
    return None


async def missing(session: Session[ManagedStatus], adopt: Adopt | None) -> Outcome | None:
    """Decide about an object that is not there any more; None for one that was not adopted."""
    status = session.status
    if status.origin != "Adopted":
        return None
    if adopt is not None and adopt.id is not None:
        words = (
            f"{status.id}, which was adopted, has been deleted in OpenSearch. It is not created again by "
            "itself: name another one in spec.adopt.id, or take spec.adopt away to have a new one made."
        )
        return await _shown(session, false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True))
    words = f"{status.id}, which was adopted, has been deleted in OpenSearch; looking for another one."
    session.event("ExternalIDChanged", words, warning=True)
    await session.record(id=None, origin=None)
    return Outcome(requeue_after=0)


def releases(ports: Ports, snapshot: Snapshot) -> bool:
    """Whether the remote object stays when the resource goes: also because it is another one's too."""
    id_ = snapshot.status.get("id")
    if snapshot.retain:
        return True
    return is_adopted(snapshot) and any(id_ in _ids(other) for other in _others(ports, snapshot))


def is_adopted(snapshot: Snapshot) -> bool:
    """Whether the remote object was there before the resource took it over."""
    return snapshot.status.get("origin") == "Adopted"


def words(snapshot: Snapshot, *, name: str | None, description: str | None, mark: str) -> dict[str, str]:
    """Return name and description to send: of an adopted object only what the spec has, and no mark.

    Neither one that stands in the spec because somebody has copied the description of another object.
    """
    if is_adopted(snapshot):
        given = {"name": name, "description": _MARKER.sub("", description or "")}
        return {field: text for field, text in given.items() if text}
    return {"name": name or snapshot.key.name, "description": describe(description, mark)}


def seen(snapshot: Snapshot, source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a remote object as it is to be compared: an adopted one without the mark of an earlier owner."""
    description = source.get("description")
    if not is_adopted(snapshot) or not isinstance(description, str):
        return source
    return {**source, "description": unmarked(description)}


def unmarked(description: str) -> str:
    """Return a description without the mark of its owner."""
    return _MARKER.sub("", description)


async def _settled(
    session: Session[ManagedStatus], client: MLCommons, kind: str, adopt: Adopt | None
) -> Outcome | None:
    """Look whether an object that is had already is still the one that is meant, and nobody else's."""
    status = session.status
    made_instead = status.origin == "Created" and adopt is not None and adopt.if_missing == "Create"
    if adopt is not None and adopt.id not in {None, status.id} and not made_instead:
        if status.pending is None and await _get(client, kind, status.id or "") is None:
            await session.record(id=None, origin=None)
            return Outcome(requeue_after=0)
        words = (
            f"This resource has {status.id} already, and spec.adopt names {adopt.id}. Create another "
            "resource for that one, or write what this one has into spec.adopt."
        )
        return await _shown(session, false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True))
    if status.origin != "Adopted":
        return None
    snapshot = session.snapshot
    for other in _others(session.ports, snapshot):
        if status.id in _ids(other) and (not is_adopted(other) or _age(other) < _age(snapshot)):
            return await _shown(session, _conflict(other, status.id or ""))
    return None


async def _find(
    session: Session[ManagedStatus], client: MLCommons, kind: str, adopt: Adopt
) -> Hit | Fact | None:
    """Return what to adopt, why it cannot be, or None when a new object is to be made in its place."""
    refused = references.foreign_ids(
        session.ports, references.used_connection(session.ports, session.snapshot), ["adopt"]
    )
    if refused is not None:
        return refused
    what = f"{kind} {adopt.id or adopt.name}"
    if adopt.id is not None:
        by_id = await _get(client, kind, adopt.id)
        hits: tuple[Hit, ...] = (by_id,) if by_id is not None else ()
    else:
        hits = await client.search_name(kind, adopt.name or "")
    if not hits:
        if adopt.if_missing == "Create" and session.snapshot.spec.get("managementPolicy") != "Observe":
            return None
        words = (
            f"There is no {what} in OpenSearch, or none that the user of the connection may see. Create it, "
            "change spec.adopt, or set spec.adopt.ifMissing to Create."
        )
        return false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True)
    if len(hits) > 1:
        ids = ", ".join(sorted(hit.id for hit in hits)[:10])
        words = f"{len(hits)} objects have the name of {what}: {ids}. Name one of them in spec.adopt.id."
        return false(ConditionType.SYNCED, Reason.AMBIGUOUS_MATCH, words, stalled=True)
    (hit,) = hits
    if kind == "model" and hit.source.get("algorithm") != "REMOTE":
        words = f"{hit.id} is no remote model: its algorithm is {hit.source.get('algorithm')}."
        return false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True)
    return _taken(session.ports, session.snapshot, hit) or hit


def _taken(ports: Ports, snapshot: Snapshot, hit: Hit) -> Fact | None:
    """Return whose the object is, if somebody's."""
    others = _others(ports, snapshot)
    for other in others:
        if hit.id in _ids(other):
            return _conflict(other, hit.id) if other.spec.get("adopt") else _not_owned(other, hit.id)
    for uid in {found.group(1) for found in _MARKER.finditer(str(hit.source.get("description", "")))}:
        maker = next((each for each in _everybody(ports) if each.uid.replace("-", "") == uid), None)
        if maker is not None and maker.uid != snapshot.uid:
            return _not_owned(maker, hit.id)
    older = (other for other in others if not other.deleting and _age(other) < _age(snapshot))
    rival = next((other for other in older if _asks_for(other, hit)), None)
    return _conflict(rival, hit.id) if rival is not None else None


def _others(ports: Ports, snapshot: Snapshot) -> tuple[Snapshot, ...]:
    """Return the other resources of this kind on the same cluster, the oldest first."""
    cluster = _cluster(ports, snapshot)
    known = ports.catalog.all(snapshot.key.kind)
    others = (each for each in known if each.uid != snapshot.uid and _cluster(ports, each) == cluster)
    return tuple(sorted(others, key=_age))


def _everybody(ports: Ports) -> tuple[Snapshot, ...]:
    return tuple(each for kind in references.REMOTE_KINDS for each in ports.catalog.all(kind))


def _cluster(ports: Ports, snapshot: Snapshot) -> str:
    """Name the cluster that a resource is on: several connections may lead to one."""
    key = references.used_connection(ports, snapshot)
    connection = ports.catalog.get(key)
    uuid = connection.status.get("clusterUUID") if connection is not None else None
    return str(uuid or key)


def _ids(snapshot: Snapshot) -> set[Any]:
    """Return the ids that a resource has on record."""
    previous = snapshot.status.get("previous")
    kept = previous if isinstance(previous, list) else ()
    return {snapshot.status.get("id"), *(each.get("id") for each in kept if isinstance(each, dict))} - {None}


def _asks_for(snapshot: Snapshot, hit: Hit) -> bool:
    """Whether a resource that has nothing yet asks for this object."""
    wish = snapshot.spec.get("adopt")
    if snapshot.status.get("id") or not isinstance(wish, dict):
        return False
    return wish.get("id") == hit.id or wish.get("name") == hit.source.get("name")


def _age(snapshot: Snapshot) -> tuple[str, str]:
    """Older is less; of one second the uid decides."""
    return snapshot.created, snapshot.uid


def _conflict(other: Snapshot, object_id: str) -> Fact:
    words = (
        f"{other.key} adopts {object_id} too, and came first. Delete one of the two, or let this one adopt "
        "another object."
    )
    return false(ConditionType.SYNCED, Reason.CONFLICT, words, stalled=True)


def _not_owned(other: Snapshot, object_id: str) -> Fact:
    words = (
        f"{object_id} was made for {other.key}, which still exists. To take it over, delete that one with "
        "deletionPolicy Retain."
    )
    return false(ConditionType.SYNCED, Reason.NOT_OWNED, words, stalled=True)


async def _shown(session: Session[ManagedStatus], fact: Fact) -> Outcome:
    resolved = (
        () if fact.type is ConditionType.REFERENCES_RESOLVED else (true(ConditionType.REFERENCES_RESOLVED),)
    )
    await session.record(*resolved, fact)
    return Outcome(requeue_after=RETRY)


async def _get(client: MLCommons, kind: str, object_id: str) -> Hit | None:
    match kind:
        case "connector":
            return await client.get_connector(object_id)
        case "group":
            return await client.get_group(object_id)
        case _:
            return await client.get_model(object_id)
