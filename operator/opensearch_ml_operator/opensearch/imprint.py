"""The mark of a connection on everything that is made through it.

The marker in a description names the resource (`reconcilers.creation`). When there is no such resource, that
alone does not say whose object it is: another Kubernetes cluster may use the same OpenSearch, with resources
of its own. So the connection's uid, which no two clusters share, is written behind it. It is of no concern to
the reconcilers: what they read and compare does not have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..constants import MARKER

_MARKER: Final = re.compile(rf"\b{MARKER}[0-9a-f]{{32}}[a-z]r\d+\b")
_ANY: Final = re.compile(rf" ?\b{MARKER}in[0-9a-f]{{32}}\b")


@dataclass(frozen=True, slots=True)
class Imprint:
    """The mark of one connection; none when `word` is empty."""

    word: str

    def add(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the body with the mark behind the marker of a resource; one without a marker stays as it is.

        What was adopted has none: it was there before, and is nobody's to delete.
        """
        text = body.get("description")
        if not self.word or not isinstance(text, str) or not _MARKER.search(text):
            return body
        return {**body, "description": f"{text} {self.word}"}

    def is_in(self, source: Mapping[str, Any]) -> bool:
        """Whether a document has this very mark."""
        return bool(self.word) and self.word in str(source.get("description", "")).split()


def without(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document without the mark, whosever it is: it may be an earlier connection's."""
    text = source.get("description")
    if not isinstance(text, str) or f"{MARKER}in" not in text:
        return source
    return {**source, "description": _ANY.sub("", text)}
