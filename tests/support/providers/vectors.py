"""Small vectors and scores that depend on every character of a text, and are exact as 32-bit floats."""

from __future__ import annotations

import zlib

DIMENSION = 3


def vector(text: str) -> list[float]:
    """Return the embedding of a text."""
    check = zlib.crc32(text.encode())
    return [(check >> shift & 0x3FF) / 1024 for shift in (0, 10, 20)]


def score(query: str, text: str) -> float:
    """Return how well a text fits a query."""
    return vector(f"{query}\n{text}")[0]
