"""Which pipelines and agents name a model or a connector.

OpenSearch deletes a model that they name without a word, and undeploys it too (2.19, 3.6 seen): production
search breaks. Its own check, `plugins.ml_commons.safe_delete_model`, is off by default, comes after the
undeploy, and compares texts of agents word by word. So all of them are read and compared exactly.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ..errors import MLCode, MLError
from ..reconcilers.ports import Mentions
from .identity import ClusterIdentity
from .operations import Operation
from .paths import BASE
from .schemas import SearchResult, read, unreadable
from .transport import Transport

FRESH: Final = 5.0
"""Seconds for which what was read counts: a burst of deletions reads once."""

_AGENTS: Final = 10_000
_NONE: Final = frozenset({MLCode.NOT_FOUND, MLCode.PLUGIN_MISSING, MLCode.REJECTED})
"""There are none, or the server has no agents (before 2.13), or they are switched off."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_PROSE: Final = frozenset({"name", "description", "_meta"})
"""What is written there is for people: it makes nobody call a model."""


class MentionReader:
    """Reads through one transport; `clock` is monotonic, in seconds."""

    def __init__(
        self, transport: Transport, identity: ClusterIdentity, *, clock: Callable[[], float]
    ) -> None:
        self._transport = transport
        self._identity = identity
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._pipelines: Mapping[str, frozenset[str]] = {}
        self._agents: Mapping[str, frozenset[str]] = {}
        self._unseen: tuple[str, ...] = ()

    async def of(self, object_id: str, *, max_age: float = FRESH) -> Mentions:
        """Return who names this id; what was read is at most `max_age` seconds old. Raises MLError."""
        async with self._reading:
            if self._clock() - self._read_at > max_age:
                await self._read()
        return Mentions(
            pipelines=_naming(self._pipelines, object_id),
            agents=_naming(self._agents, object_id),
            unseen=self._unseen,
        )

    async def _read(self) -> None:
        started = self._clock()
        pipelines: dict[str, frozenset[str]] = {}
        agents: dict[str, frozenset[str]] = {}
        unseen = []
        for what, right, found, load in (
            ("ingest pipelines", "ingest/pipeline/get", pipelines, self._ingest_pipelines),
            ("search pipelines", "search/pipeline/get", pipelines, self._search_pipelines),
            ("agents", "opensearch/ml/agents/search", agents, self._all_agents),
        ):
            try:
                found.update({name: frozenset(_words(body)) for name, body in await load()})
            except MLError as error:
                if error.code is MLCode.FORBIDDEN:
                    unseen.append(f"{what} (cluster:admin/{right})")
                elif error.code in _NONE:
                    await self._identity.confirm()
                else:
                    raise
        self._pipelines, self._agents, self._unseen = pipelines, agents, tuple(unseen)
        self._read_at = started

    async def _ingest_pipelines(self) -> Iterable[tuple[str, Any]]:
        return await self._all_pipelines(Operation.GET_INGEST_PIPELINES, "ingest")

    async def _search_pipelines(self) -> Iterable[tuple[str, Any]]:
        return await self._all_pipelines(Operation.GET_SEARCH_PIPELINES, "search")

    async def _all_pipelines(self, operation: Operation, kind: str) -> Iterable[tuple[str, Any]]:
        answer = await self._transport.call(operation, "GET", f"/_{kind}/pipeline")
        if not isinstance(answer, Mapping):
            raise unreadable(operation, "body")
        return [(f"{kind} pipeline {name}", body) for name, body in answer.items()]

    async def _all_agents(self) -> Iterable[tuple[str, Any]]:
        operation = Operation.SEARCH_AGENTS
        body = {"size": _AGENTS, "query": {"match_all": {}}}
        answer = await self._transport.call(operation, "POST", f"{BASE}/agents/_search", body)
        result = read(SearchResult, answer, doing=operation)
        if result.timed_out or result.shards.failed:
            raise MLError(MLCode.AMBIGUOUS, f"{operation} was not answered by every shard")
        return [(f"agent {hit.source.get('name', '')} ({hit.id})", hit.source) for hit in result.hits.hits]


def _naming(read: Mapping[str, frozenset[str]], object_id: str) -> tuple[str, ...]:
    return tuple(sorted(name for name, words in read.items() if object_id in words))


def _words(value: Any) -> Iterator[str]:
    """Yield the words of all texts that a program reads; an agent's parameters may hold JSON as a text."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _PROSE:
                yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
