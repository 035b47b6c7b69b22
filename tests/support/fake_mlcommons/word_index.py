"""Where a search need not look at all: which documents have had a word in one of their texts."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Collection, Mapping
from typing import Any


def words(text: str) -> list[str]:
    """Split as the standard analyser does: at all but letters, digits and underscores, in lower case."""
    return re.findall(r"\w+", text.lower())


class WordIndex:
    """It may name too many documents, never too few: what an update takes away stays until the deletion."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}
        self._sorted: list[str] = []
        self._words: dict[str, set[str]] = {}

    def add(self, id_: str, doc: Mapping[str, Any]) -> None:
        """Note the words of a document's texts, of those that are not inside another object."""
        known = self._words.setdefault(id_, set())
        texts = (value for value in doc.values() if isinstance(value, str))
        for word in {word for text in texts for word in words(text)} - known:
            known.add(word)
            if word not in self._ids:
                self._ids[word] = set()
                insort(self._sorted, word)
            self._ids[word].add(id_)

    def drop(self, id_: str) -> None:
        """Forget a document."""
        for word in self._words.pop(id_, ()):
            self._ids[word].remove(id_)
            if not self._ids[word]:
                del self._ids[word]
                self._sorted.pop(bisect_left(self._sorted, word))

    def with_all(self, text: str) -> Collection[str] | None:
        """Return who may have all words of a text; None, who may be anyone, when it has no words."""
        found = [self._ids.get(word, set()) for word in words(text)]
        return set[str].intersection(*found) if found else None

    def with_any(self, text: str) -> Collection[str] | None:
        """Return who may have one of the words of a text; None as above."""
        found = [self._ids.get(word, set()) for word in words(text)]
        return set[str].union(*found) if found else None

    def with_prefix(self, stem: str) -> Collection[str]:
        """Return who may have a word that begins so."""
        start = bisect_left(self._sorted, stem)
        end = bisect_left(self._sorted, f"{stem}\U0010ffff")
        return set[str]().union(*(self._ids[word] for word in self._sorted[start:end]))
