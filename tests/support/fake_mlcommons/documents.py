"""One system index: documents by id, partial updates, and what a search sees of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from typing import Any

from .word_index import WordIndex

Doc = dict[str, Any]


class Documents:
    """`docs` is open to tests: what they change there, everyone sees at once.

    `late` is how long (seconds) a search goes on showing what a document was before an update. With
    `words` it does not look at each document; that index does not learn of what is changed in `docs`.
    """

    def __init__(self, index: str, *, clock: Callable[[], float], late: float) -> None:
        self.index = index
        self.docs: dict[str, Doc] = {}
        self.words: WordIndex | None = None
        self._clock = clock
        self._late = late
        self._before: dict[str, tuple[Doc, float]] = {}
        self._versions: dict[str, int] = {}
        self._created = False
        self._writes = 0

    @property
    def exists(self) -> bool:
        """The first write makes the index."""
        return self._created or bool(self.docs)

    def put(self, id_: str, doc: Doc) -> None:
        """Create a document; every search sees it at once."""
        self._created = True
        self.docs[id_] = deepcopy(doc)
        if self.words is not None:
            self.words.add(id_, doc)
        self._count(id_)

    def merge(self, id_: str, changes: Doc, *, refresh: bool = True) -> Doc:
        """Update in place: maps merge, arrays and scalars replace, nothing is ever removed."""
        if not refresh and self._late:
            self._before[id_] = (deepcopy(self.docs[id_]), self._clock() + self._late)
        _merge(self.docs[id_], deepcopy(changes))
        if self.words is not None:
            self.words.add(id_, changes)
        self._count(id_)
        return self._written(id_, "updated", forced=refresh)

    def delete(self, id_: str) -> Doc:
        """Delete; what was never there is `not_found`, and both are 200."""
        self._before.pop(id_, None)
        found = self.docs.pop(id_, None) is not None
        if self.words is not None:
            self.words.drop(id_)
        self._count(id_)
        return self._written(id_, "deleted" if found else "not_found", forced=True)

    def version(self, id_: str) -> int:
        """Count the writes to a document."""
        return self._versions.get(id_, 0)

    def searchable(self, ids: Collection[str] | None = None) -> Iterator[tuple[str, Doc]]:
        """Yield what a search sees, of all or of these ids, in the order of their creation."""
        now = self._clock()
        for id_, doc in self.docs.items():
            if ids is not None and id_ not in ids:
                continue
            before, until = self._before.get(id_, (doc, 0.0))
            yield id_, before if now < until else doc

    def with_all_words(self, text: str) -> Iterator[tuple[str, Doc]]:
        """Yield what may have all words of a text, and perhaps more."""
        return self.searchable(self.words.with_all(text) if self.words is not None else None)

    def with_a_word(self, text: str) -> Iterator[tuple[str, Doc]]:
        """Yield what may have one of the words of a text, and perhaps more."""
        return self.searchable(self.words.with_any(text) if self.words is not None else None)

    def _count(self, id_: str) -> None:
        self._versions[id_] = self._versions.get(id_, 0) + 1
        self._writes += 1

    def _written(self, id_: str, result: str, *, forced: bool) -> Doc:
        return {
            "_index": self.index,
            "_id": id_,
            "_version": self._versions[id_],
            "result": result,
            **({"forced_refresh": True} if forced else {}),
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": self._writes,
            "_primary_term": 1,
        }


def _merge(into: Doc, changes: Doc) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
