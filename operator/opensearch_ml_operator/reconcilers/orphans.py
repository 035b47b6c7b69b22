"""Finds what is ours in OpenSearch although its resource is gone, and deletes what a person names of it.

A stripped finalizer, a restored etcd, a create that was carried out after everybody had given it up: nobody
looks after what is left. It is reported. Whether it may go only a person knows: a deletion policy Retain
leaves the same traces.

What is called an orphan has been proven to be one: it carries the mark of this very connection, which no
other cluster has; its marker names a resource that a list made after the search does not hold; no resource
mentions its id; it is an hour old; a GET finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ..constants import DELETE_ORPHANS_ANNOTATION
from ..errors import MLCode, MLError, OperatorError
from ..models.connection import OpenSearchConnectionStatus, Orphan
from . import model_body, model_plan, references
from .ports import Hit, MLCommons
from .session import Ports, Session

INTERVAL: Final = 3600.0
FIRST: Final = 600.0
"""Seconds until the first search of a process: a restart costs nothing."""
GRACE: Final = 3600.0
"""Seconds for which nothing is an orphan: longer than a create can be late, or a status lost."""
_SOON: Final = 5.0
_AGAIN: Final = 60.0
"""Seconds until the next try after a search that failed."""
_SHOWN: Final = 50
_MARKER: Final = re.compile(r"k8sml([0-9a-f]{32})[a-z]r[0-9]+")
_Kind: TypeAlias = Literal["model", "connector", "group"]
_KINDS: Final[tuple[_Kind, ...]] = ("model", "connector", "group")
"""In the order in which they can be deleted."""
_OWNERS: Final = (references.MODEL, references.CONNECTOR, references.GROUP, references.SETTINGS)


@dataclass(slots=True)
class _Memory:
    """What this process knows of one connection; times by the monotonic clock."""

    due: float
    done: str = ""
    """The value of the annotation that has been carried out."""


class Orphans:
    """One search of each kind an hour and connection, and one list of each kind of our resources."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._memory: dict[str, _Memory] = {}

    def forget(self, uid: str) -> None:
        """Forget a connection that is gone."""
        self._memory.pop(uid, None)

    async def look(self, session: Session[OpenSearchConnectionStatus], client: MLCommons) -> list[Orphan]:
        """Return the orphans of the connection, as they were found at the last search; never raises."""
        known = session.status.orphans
        now = self._ports.monotonic()
        memory = self._memory.setdefault(session.snapshot.uid, _Memory(due=now + FIRST))
        asked = session.snapshot.annotations.get(DELETE_ORPHANS_ANNOTATION, "")
        if now < memory.due and asked == memory.done:
            return known
        memory.due, memory.done = now + INTERVAL, asked
        try:
            found = await self._find(session, client)
            left = await self._delete(session, client, found, set(re.findall(r"[A-Za-z0-9_-]+", asked)))
        except OperatorError:
            memory.due = now + _AGAIN
            return known  # one that cannot be proven is none
        if any(orphan.deleting for orphan in left):
            memory.due = now + _SOON
        shown = [Orphan(kind=each.kind, id=each.hit.id, name=_name(each.hit)) for each in left[:_SHOWN]]
        new = [orphan for orphan in shown if orphan.id not in {each.id for each in known}]
        if new:
            names = ", ".join(f"{orphan.kind} {orphan.name} ({orphan.id})" for orphan in new[:10])
            words = f"{len(left)} objects in OpenSearch were made here and have no resource; new: {names}."
            session.event("OrphansFound", words, warning=True)
        return shown

    async def _find(self, session: Session[OpenSearchConnectionStatus], client: MLCommons) -> list[_Found]:
        marked = [(kind, hit) for kind in _KINDS for hit in await client.search_imprint(kind)]
        old = [(kind, hit) for kind, hit in marked if self._is_old(hit)]
        if not old:
            return []
        # Read after the search: whoever is not in these lists was not there when the object was seen.
        old = await self._ownerless(old, session.snapshot.key.namespace)
        if old and self._ports.cluster_wide:
            old = await self._ownerless(old, "")  # another namespace may have taken it over by its id
        gets = {"model": client.get_model, "connector": client.get_connector, "group": client.get_group}
        found = []
        for kind, hit in old:
            now = await gets[kind](hit.id)
            if now is not None and _uids(now) == _uids(hit):
                found.append(_Found(kind, now))
        return found

    async def _ownerless(self, marked: list[tuple[_Kind, Hit]], namespace: str) -> list[tuple[_Kind, Hit]]:
        """Return those whose resource is not in the namespace, and that nothing in it mentions.

        The empty namespace stands for all of them, as in a list.
        """
        owners: set[str] = set()
        mentioned: set[str] = set()
        for kind in _OWNERS:
            for snapshot in await self._ports.store.read_all(kind, namespace):
                owners.add(snapshot.uid.replace("-", ""))
                mentioned.update(_texts(snapshot.spec), _texts(snapshot.status))
        return [
            (kind, hit)
            for kind, hit in marked
            if (uids := _uids(hit)) and not owners.intersection(uids) and hit.id not in mentioned
        ]

    def _is_old(self, hit: Hit) -> bool:
        created = hit.source.get("created_time")
        return isinstance(created, int) and self._ports.now().timestamp() - created / 1000 >= GRACE

    async def _delete(
        self,
        session: Session[OpenSearchConnectionStatus],
        client: MLCommons,
        found: list[_Found],
        asked: set[str],
    ) -> list[_Found]:
        """Delete those that a person has named; return all that are left."""
        left = []
        for orphan in found:
            if orphan.hit.id not in asked:
                left.append(orphan)
                continue
            what = f"{orphan.kind} {_name(orphan.hit)} ({orphan.hit.id})"
            try:
                kept = await _named(client, orphan) or await _remove(client, orphan)
            except MLError as error:
                if error.code not in {MLCode.IN_USE, MLCode.BUSY}:
                    raise
                kept = error.message
            if kept is None:
                session.event("OrphanDeleted", f"Deleted {what}, which had no resource any more.")
                continue
            orphan.deleting = kept == _GOING
            left.append(orphan)
            if not orphan.deleting:
                session.event("OrphanKept", f"{what} stays: {kept}", warning=True)
        return left


@dataclass(slots=True)
class _Found:
    kind: _Kind
    hit: Hit
    deleting: bool = False


_GOING: Final = "on its way out"


async def _named(client: MLCommons, orphan: _Found) -> str | None:
    """Say who needs it, or what could not be looked at."""
    if orphan.kind == "group":
        return None  # the server refuses while models are in it
    mentions = await client.mentions(orphan.hit.id)
    users = (*mentions.pipelines, *mentions.agents)
    if users:
        return f"named by {', '.join(users[:10])}."
    if mentions.unseen:
        return f"no permission to see whether {', '.join(mentions.unseen)} name it."
    return None


async def _remove(client: MLCommons, orphan: _Found) -> str | None:
    """Take one step towards its end; None when it is gone."""
    id_, source = orphan.hit.id, orphan.hit.source
    if orphan.kind == "connector":
        await client.delete_connector(id_)
        return None if await client.get_connector(id_) is None else _GOING
    if orphan.kind == "group":
        await client.delete_group(id_)
        return None if await client.get_group(id_) is None else _GOING
    if str(source.get("model_state", "")) in {model_plan.DEPLOYING, *model_plan.LOADED}:
        if model_body.auto_deploys(source):
            await client.update_model(id_, {"deploy_setting": {"is_auto_deploy_enabled": False}})
        await client.undeploy_model(id_)
        return _GOING
    await client.delete_model(id_)
    return None if await client.get_model(id_) is None else _GOING


def _name(hit: Hit) -> str:
    return str(hit.source.get("name", ""))[:256]


def _uids(hit: Hit) -> list[str]:
    return _MARKER.findall(str(hit.source.get("description", "")))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a spec or a status."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
