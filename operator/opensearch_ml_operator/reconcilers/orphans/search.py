"""Proves that an object in OpenSearch is ours and has no resource: a wrong answer costs somebody's object.

An orphan carries the mark of this very connection; its marker names a resource that a list made after the
search does not hold; no resource mentions its id; no resource has left it on purpose; it is an hour old; a
GET finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ...constants import MARKER
from ...errors import ObjectGoneError
from ...models.snapshot import Snapshot
from .. import references, retention
from ..ports import Hit, MLCommons
from ..session import Ports

GRACE: Final = 3600.0
"""Seconds for which nothing is an orphan: longer than a create can be late, or a status lost."""
_MARKER: Final = re.compile(rf"{MARKER}([0-9a-f]{{32}})[a-z]r[0-9]+")
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_OWNERS: Final = (references.MODEL, references.CONNECTOR, references.GROUP, references.SETTINGS)

Kind: TypeAlias = Literal["model", "connector", "group"]
_KINDS: Final[tuple[Kind, ...]] = ("model", "connector", "group")
"""In the order in which they can be deleted."""


@dataclass(frozen=True, slots=True)
class Found:
    """An orphan, as a GET has shown it."""

    kind: Kind
    hit: Hit

    @property
    def name(self) -> str:
        """Its name in OpenSearch."""
        return str(self.hit.source.get("name", ""))[:256]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.hit.id})"


@dataclass(frozen=True, slots=True)
class Search:
    """What one search has proven."""

    orphans: list[Found]
    """Models first, groups last."""
    connection: Snapshot
    """The connection as it was when the orphans had no resource."""
    marks: frozenset[str]
    """The ids of all that carries the connection's mark, and the uids in its markers."""


async def search(ports: Ports, client: MLCommons, connection: Snapshot, *, asked: bool) -> Search:
    """Look for the orphans of a connection; if a person has `asked`, believe nothing that we only remember.

    Raises OperatorError when anything could not be read: then nothing is proven.
    """
    marked = [(kind, hit) for kind in _KINDS for hit in await client.search_imprint(kind)]
    marks = frozenset(mark for _, hit in marked for mark in (hit.id, *_uids(hit)))
    old = [(kind, hit) for kind, hit in marked if _is_old(ports, hit)]
    if not asked:
        old = _without_known(ports, old)
    if old:
        # Read after the search: whoever is not in these lists was not there when the object was seen.
        old = await _ownerless(ports, old, connection.key.namespace)
    if old and ports.cluster_wide:
        old = await _ownerless(ports, old, "")  # another namespace may have taken it over by its id
    if old:
        connection, old = await _not_retained(ports, old, connection)
    gets = {"model": client.get_model, "connector": client.get_connector, "group": client.get_group}
    found = []
    for kind, hit in old:
        now = await gets[kind](hit.id)
        if now is not None and _uids(now) == _uids(hit):
            found.append(Found(kind, now))
    return Search(found, connection, marks)


def _without_known(ports: Ports, marked: list[tuple[Kind, Hit]]) -> list[tuple[Kind, Hit]]:
    """Leave out what belongs to a resource that we know of: of thousands nothing is left to be proven.

    Of one that is a ghost it comes to light when that is found out.
    """
    known = {each.uid.replace("-", "") for kind in _OWNERS for each in ports.catalog.all(kind)}
    return [(kind, hit) for kind, hit in marked if known.isdisjoint(_uids(hit))]


async def _not_retained(
    ports: Ports, marked: list[tuple[Kind, Hit]], connection: Snapshot
) -> tuple[Snapshot, list[tuple[Kind, Hit]]]:
    """Return those that nobody has left on purpose, and the connection that says so.

    Read after the lists: a resource that was to leave it had that written down before it went.
    """
    now = await ports.store.read(connection.key)
    if now is None or now.uid != connection.uid:
        raise ObjectGoneError(f"{connection.key} is not there any more")
    kept = retention.retained(now)
    return now, [
        (kind, hit)
        for kind, hit in marked
        if not any(retention.stays(entry, {hit.id, *_uids(hit)}) for entry in kept)
    ]


async def _ownerless(ports: Ports, marked: list[tuple[Kind, Hit]], namespace: str) -> list[tuple[Kind, Hit]]:
    """Return those whose resource is not in the namespace, and that nothing in it mentions.

    The empty namespace stands for all of them, as in a list.
    """
    owners: set[str] = set()
    mentioned: set[str] = set()
    for kind in _OWNERS:
        for snapshot in await ports.store.read_all(kind, namespace):
            owners.add(snapshot.uid.replace("-", ""))
            mentioned.update(_words(snapshot.spec), _words(snapshot.status))
    return [
        (kind, hit)
        for kind, hit in marked
        if (uids := _uids(hit)) and not owners.intersection(uids) and hit.id not in mentioned
    ]


def _is_old(ports: Ports, hit: Hit) -> bool:
    created = hit.source.get("created_time")
    return isinstance(created, int) and ports.now().timestamp() - created / 1000 >= GRACE


def _uids(hit: Hit) -> list[str]:
    return _MARKER.findall(str(hit.source.get("description", "")))


def _words(value: Any) -> Iterator[str]:
    """Yield the words of every text in a spec or a status: a URL or a JSON text may hold an id."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
