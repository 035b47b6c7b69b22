"""Regular expressions for the lists of trusted connector endpoints, checked before they are sent.

OpenSearch takes a broken one without a word (`MLCommonsSettings`, no validator before 3.7), and from then on
it refuses every connector that anybody creates. It reads them as Java does. So what is allowed here is the
part of the language that Java and Python read alike, which is all that a URL needs.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 256
"""Characters; the server's own bound since 3.7."""

_PIECE: Final = r"""(?:
    [^\\\[\](){}*+?]                                        # itself, and . ^ $ |
  | \\ (?: [^A-Za-z0-9] | [dDwWsSbB] )
  | \[ \^? (?: [^\[\]\\&] | &(?!&) | \\ (?: [^A-Za-z0-9] | [dDwWsS] ) )+ \]
  | \( (?: \?: | (?!\?) ) | \)
  | (?: [*+?] | \{ [0-9]{1,3} (?: , [0-9]{0,3} )? \} ) \??
)"""
_COMMON: Final = re.compile(f"{_PIECE}*", re.VERBOSE)


def fault(pattern: str) -> str | None:
    """Say what is wrong with a pattern; None for one that every server can use."""
    if not 0 < len(pattern) <= LONGEST:
        return f"it must have 1 to {LONGEST} characters"
    end = _understood(pattern)
    if end < len(pattern):
        return (
            f"what begins at character {end + 1} is no literal, class, group or quantifier that all servers "
            "read alike; special characters need a \\ before them"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None


def readable(pattern: str) -> bool:
    """Whether Java and Python read it alike: both take it, or both refuse it."""
    return _understood(pattern) == len(pattern)


def _understood(pattern: str) -> int:
    """Return where the part ends that both read alike."""
    match = _COMMON.match(pattern)
    return match.end() if match is not None else 0
