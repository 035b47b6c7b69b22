"""Batched reads: objects at rest cost one search for hundreds of them, not one request each.

An object is remembered from the first time it is asked for. When what is known of it is too old, one search
reads it together with the other remembered objects of its kind, those first whose turn was longest ago: so
objects that began at different times fall into step at once. There is one such search per kind at a time: who
asks meanwhile waits, and is served by it or is part of the next.

A search by ids is as fresh as a GET, except that 2.x shows a document's *change* up to a second late: so
after a write of our own the object is read by GET for a while.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..errors import MLError
from ..models.document import Document
from ..reconcilers.ports import Hit

PAGE: Final = 500
SETTLE_SECONDS: Final = 5.0
"""How long after an own write search is not trusted: 2.19 was seen to be late by 1.0 s at most."""

_UNASKED: Final = 60.0
"""Age limit in seconds of an object that nobody has asked for yet."""

Search: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Mapping[str, Hit]]]
"""Reads the objects of a kind with these ids; raises MLError."""

Get: TypeAlias = Callable[[str, str], Awaitable[Hit | None]]
"""Reads one object; None is proof of absence. Raises MLError."""


@dataclass(slots=True)
class _Entry:
    """One remembered object; `hit` is as old as the start of the request that read it."""

    max_age: float
    hit: Hit | None = None
    read_at: float = float("-inf")
    searched_at: float = float("-inf")
    """When the last search began that asked for it, whether it found it or not."""
    written_at: float = float("-inf")

    @property
    def due(self) -> float:
        """From when on a search that is made anyway reads this object too.

        Not at once: when many ask one after the other, each would read all anew. What was not found has had
        its turn too: a page of what is not there any more would leave no room for the others.
        """
        return max(max(self.read_at, self.searched_at) + self.max_age / 4, self.written_at + SETTLE_SECONDS)

    def known(self, *, since: float) -> bool:
        return self.hit is not None and self.read_at >= since

    def store(self, hit: Hit, *, read_at: float) -> None:
        """Keep a result, unless the object was written to after its request began."""
        if self.written_at < read_at:
            source = Document(hit.source)
            source.pack()
            # What has not changed stays the same object: nobody compares it any further.
            if self.hit is None or self.hit.source != source:
                self.hit = Hit(hit.id, source)
            self.read_at = read_at


@dataclass(slots=True)
class _Kind:
    entries: dict[str, _Entry] = field(default_factory=dict)
    turns: list[tuple[float, str]] = field(default_factory=list)
    """A heap of when each entry is due, and of when some were thought to be."""
    searching: asyncio.Lock = field(default_factory=asyncio.Lock)
    failure: MLError | None = None
    failed_at: float = float("-inf")

    def entry(self, object_id: str, max_age: float) -> _Entry:
        """Return what is remembered of an object, from now on."""
        entry = self.entries.get(object_id)
        if entry is None:
            entry = self.entries[object_id] = _Entry(max_age)
            self.plan(object_id)
        return entry

    def plan(self, object_id: str) -> None:
        """Note when an object is due, after that has changed."""
        if (entry := self.entries.get(object_id)) is not None:
            heapq.heappush(self.turns, (entry.due, object_id))

    def take_page(self, asked: str, *, now: float) -> list[str]:
        """Take out an object that was asked for, and those that are due; those whose turn was longest ago.

        Who wants to know how things are at this moment, and does not want to wait, gets those alone that are
        past half of their own age limit.
        """
        asking = self.entries.get(asked)  # it may have been forgotten while it waited
        in_haste = asking is not None and asking.max_age == 0
        ids = {asked: None}  # in their order
        later: list[tuple[float, str]] = []
        while self.turns and self.turns[0][0] < now and len(ids) + len(later) < PAGE:
            turn = heapq.heappop(self.turns)
            entry = self.entries.get(turn[1])
            if entry is None or entry.due != turn[0]:
                continue  # forgotten, or read or written to meanwhile
            if in_haste and now - entry.read_at <= entry.max_age / 2:
                later.append(turn)
            else:
                ids[turn[1]] = None
        for turn in later:
            heapq.heappush(self.turns, turn)
        return list(ids)

    def store(self, hits: Mapping[str, Hit], ids: Sequence[str], *, began: float) -> None:
        """Keep the results of a search for these ids."""
        for id_ in ids:
            if (entry := self.entries.get(id_)) is not None:
                entry.searched_at = began
                if (hit := hits.get(id_)) is not None:
                    entry.store(hit, read_at=began)


class Observations:
    """What is known of the objects of one cluster; `clock` is monotonic, in seconds."""

    def __init__(self, *, search: Search, get: Get, clock: Callable[[], float]) -> None:
        self._search = search
        self._get = get
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    async def observe(self, kind: str, object_id: str, *, max_age: float) -> Hit | None:
        """Return the object as it was at most `max_age` seconds ago; None only after a GET has said so.

        Raises MLError; who waited for a search that failed gets its error.
        """
        since = (asked := self._clock()) - max_age
        known = self._kinds.setdefault(kind, _Kind())
        entry = known.entry(object_id, max_age)
        if entry.max_age != max_age:
            entry.max_age = max_age
            known.plan(object_id)
        if not entry.known(since=since) and asked - entry.written_at > SETTLE_SECONDS:
            async with known.searching:
                if not entry.known(since=since) and entry.searched_at < asked:
                    if known.failure is not None and known.failed_at >= asked:
                        raise known.failure.with_traceback(None)
                    await self._search_with_others(kind, known, object_id)
        if not entry.known(since=since):
            started = self._clock()
            hit = await self._get(kind, object_id)
            if hit is None:
                self.forget(kind, object_id)
            else:
                entry.store(hit, read_at=started)
                known.plan(object_id)
            return hit
        return entry.hit

    def invalidate(self, kind: str, object_id: str) -> None:
        """Drop what is known: the object has just been written to."""
        entry = self._kinds.setdefault(kind, _Kind()).entries.get(object_id)
        if entry is not None:
            entry.hit = None
            entry.read_at = float("-inf")
            entry.written_at = self._clock()
            self._kinds[kind].plan(object_id)

    def expect(self, kind: str, object_id: str) -> None:
        """Take an object along when others are read, before anybody has asked for it."""
        self._kinds.setdefault(kind, _Kind()).entry(object_id, _UNASKED)

    def forget(self, kind: str, object_id: str) -> None:
        """Read the object no more."""
        self._kinds.setdefault(kind, _Kind()).entries.pop(object_id, None)

    async def _search_with_others(self, kind: str, known: _Kind, object_id: str) -> None:
        """Read this object and those that join it; nothing for a lone one, a GET does it as well."""
        started = self._clock()
        ids = known.take_page(object_id, now=started)
        try:
            if len(ids) > 1:
                known.store(await self._search(kind, ids), ids, began=started)
        except MLError as error:
            known.failure, known.failed_at = error, self._clock()
            raise
        finally:
            for id_ in ids:
                known.plan(id_)
