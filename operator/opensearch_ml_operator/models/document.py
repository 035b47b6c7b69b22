"""JSON objects that are kept by the ten thousand."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping
from typing import Any


class Document(Mapping[str, Any]):
    """A JSON object that is kept as its text while nobody works with it: a fifth of the memory.

    Packed, it is parsed anew at each access: whoever needs more than a field or two unpacks it before.
    """

    __slots__ = ("_kept",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._kept: Mapping[str, Any] | bytes = body

    @property
    def packed(self) -> bool:
        """Whether it is kept as text."""
        return isinstance(self._kept, bytes)

    def pack(self) -> None:
        """Keep the text alone."""
        if not isinstance(self._kept, bytes):
            self._kept = json.dumps(self._kept, separators=(",", ":")).encode()

    def unpack(self) -> None:
        """Keep what is read often as it is read."""
        self._kept = self._body()

    def items(self) -> ItemsView[str, Any]:
        """Return what is in it, parsed once."""
        return self._body().items()

    def __getitem__(self, key: str) -> Any:
        return self._body()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._body())

    def __len__(self) -> int:
        return len(self._body())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return self._body() == other
        return self._kept == other._kept or self._body() == other._body()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._body())

    def _body(self) -> Mapping[str, Any]:
        body: Mapping[str, Any]
        body = json.loads(self._kept) if isinstance(self._kept, bytes) else self._kept
        return body
