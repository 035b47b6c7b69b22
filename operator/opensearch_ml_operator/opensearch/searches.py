"""Searches that must not be wrong: a shard that did not answer makes the result unknown, not empty."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..constants import MARKER
from ..errors import MLCode, MLError
from ..reconcilers.ports import Hit
from .imprint import without
from .paths import COLLECTIONS
from .schemas import SearchResult, read
from .transport import Transport

_MARKER_HITS: Final = 100
_NAME_HITS: Final = 1000
"""A local model has a document for each 10 MB of it."""
_WINDOW: Final = 10_000
"""The most that one search returns (`index.max_result_window`)."""
_PAGE: Final = 500
MARKED: Final = _WINDOW // _MARKER_HITS
"""The most questions that `marked` puts at once."""

_ALL_FIELDS: Final = {"excludes": ["model_content", "old_model_content"]}


@dataclass(frozen=True, slots=True)
class Marked:
    """Asks for the objects that have a certain word in their description; see `marked`."""

    clause: Mapping[str, Any]
    word: re.Pattern[str]

    def is_in(self, hit: Hit) -> bool:
        """Whether the object has the word: the server does not tell upper from lower case."""
        return self.word.search(str(hit.source.get("description", ""))) is not None


def marker(token: str) -> Marked:
    """Ask for what holds `token` as a whole word."""
    return Marked({"match_phrase": {"description": token}}, re.compile(rf"\b{re.escape(token)}\b"))


def markers(stem: str) -> Marked:
    """Ask for what holds `stem` and a number as a whole word.

    A prefix is compared with the analysed words as it is: markers are in lower case.
    """
    return Marked({"prefix": {"description": stem}}, re.compile(rf"\b{re.escape(stem)}[0-9]+\b"))


async def marked(transport: Transport, kind: str, wanted: Sequence[Marked]) -> tuple[Hit, ...]:
    """Find the objects of a kind that one of at most MARKED questions asks for; at most 100 for each.

    A created object is visible to the first search after the create's answer (immediate refresh, all
    versions).
    """
    clauses = [one.clause for one in wanted]
    query = clauses[0] if len(clauses) == 1 else {"bool": {"should": clauses}}
    size = _MARKER_HITS * len(wanted)
    hits = await search(transport, kind, query, size=size)
    if len(hits) == size and len(wanted) > 1:  # so many of one may have left no room for another
        return tuple([hit for one in wanted for hit in await marked(transport, kind, [one])])
    return hits


async def by_imprint(transport: Transport, kind: str, word: str) -> tuple[Hit, ...]:
    """Find all that carries a connection's mark, as few fields of it as will do.

    From 10,000 of a kind on, which is all that a search returns, in sixteen parts by the marker that stands
    beside the mark. Raises MLError AMBIGUOUS when a part has as many: there may be more.
    """
    mark = {"match_phrase": {"description": word}}
    hits = await _all_of(transport, kind, mark)
    if hits is not None:
        return hits
    found: list[Hit] = []
    for digit in "0123456789abcdef":
        part = {"bool": {"must": [mark, {"prefix": {"description": f"{MARKER}{digit}"}}]}}
        hits = await _all_of(transport, kind, part)
        if hits is None:
            raise MLError(MLCode.AMBIGUOUS, f"too many {kind}s were made through the connection")
        found += hits
    return tuple(found)


async def _all_of(transport: Transport, kind: str, query: Mapping[str, Any]) -> tuple[Hit, ...] | None:
    """Find all that matches; None when there may be more than a search returns."""
    fields = ["name", "description", "created_time"]
    hits = await search(transport, kind, query, size=_WINDOW, fields=fields)
    return hits if len(hits) < _WINDOW else None


async def models_of(transport: Transport, kind: str, object_id: str) -> tuple[Hit, ...]:
    """Find the models that use a connector, or are in a group.

    `connector_id` is an analysed field (ml-commons index mappings): what it finds is compared once more.
    """
    field = {"connector": "connector_id", "group": "model_group_id"}[kind]
    hits = await search(transport, "model", {"match": {field: object_id}}, size=_MARKER_HITS)
    return tuple(hit for hit in hits if hit.source.get(field) == object_id)


async def by_name(transport: Transport, kind: str, name: str) -> tuple[Hit, ...]:
    """Find the objects of this very name; the parts of a local model have names too, and are left out."""
    hits = await search(transport, kind, {"term": {"name.keyword": name}}, size=_NAME_HITS)
    return tuple(hit for hit in hits if hit.source.get("name") == name and "chunk_number" not in hit.source)


async def by_ids(transport: Transport, kind: str, ids: Sequence[str]) -> Mapping[str, Hit]:
    """Read many objects at once; an id that is missing in the result is not yet proven absent."""
    hits = await search(transport, kind, {"ids": {"values": list(ids)}}, size=len(ids))
    return {hit.id: Hit(hit.id, without(hit.source)) for hit in hits}


async def everything(transport: Transport, kind: str) -> tuple[Hit, ...]:
    """Read all objects of a kind that the user may see, a page at a time; at most 10,000.

    Pages follow the time of creation: what is made meanwhile is seen at the end, or not at all.
    """
    found: dict[str, Hit] = {}
    query = {"bool": {"must_not": [{"exists": {"field": "chunk_number"}}]}}
    order = [{"created_time": {"order": "asc", "unmapped_type": "date"}}]
    for start in range(0, _WINDOW, _PAGE):
        page = {"from": start, "sort": order}
        hits = await search(transport, kind, query, size=_PAGE, page=page)
        found |= {hit.id: Hit(hit.id, without(hit.source)) for hit in hits}
        if len(hits) < _PAGE:
            break
    return tuple(found.values())


async def search(
    transport: Transport,
    kind: str,
    query: Mapping[str, Any],
    *,
    size: int,
    fields: Sequence[str] | None = None,
    page: Mapping[str, Any] | None = None,
) -> tuple[Hit, ...]:
    """Run one search; raises MLError AMBIGUOUS unless every shard has answered in time.

    `page` says in which order, and from where on.

    Without an index the server answers an empty result over 0 shards, or (rarely) 404.
    """
    collection = COLLECTIONS[kind]
    body = {"size": size, "query": query, "_source": fields or _ALL_FIELDS, **(page or {})}
    try:
        answer = await transport.call(collection.search, "POST", f"{collection.path}/_search", body)
    except MLError as error:
        if error.code is MLCode.NOT_FOUND:
            return ()
        raise
    result = read(SearchResult, answer, doing=collection.search)
    if result.timed_out or result.shards.failed:
        raise MLError(MLCode.AMBIGUOUS, f"{collection.search} was not answered by every shard")
    return tuple(Hit(hit.id, hit.source) for hit in result.hits.hits)
