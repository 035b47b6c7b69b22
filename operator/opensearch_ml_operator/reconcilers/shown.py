"""Comparing what is wanted with what the server shows: it fills in, merges, and leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .stringify import stringify


def covers(shown: Any, wanted: Any) -> bool:
    """Whether everything wanted is shown; maps are merged by the server, so it may show more.

    What is empty the server leaves out.
    """
    if wanted in ({}, []):
        return shown in (None, {}, [])
    if isinstance(wanted, Mapping):
        return isinstance(shown, Mapping) and all(
            covers(shown.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(shown, list) and len(shown) == len(wanted) and all(map(covers, shown, wanted))
    return bool(shown == wanted)


def comparable(wanted: Mapping[str, Any], shown: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is wanted without those parts of `extra` that the server does not show, or in its own way.

    It ignores names that it does not know, stores others without showing them, writes enums in capitals and
    numbers as text; for what has no field here nobody knows which.
    """
    seen = mapping(shown)
    kept = dict(wanted)
    for name, value in extra.items():
        if isinstance(value, Mapping) and isinstance(kept[name], Mapping):
            kept[name] = comparable(kept[name], seen.get(name), value)
            if not kept[name]:
                del kept[name]
        elif name not in seen:
            del kept[name]
        elif _letters(seen[name]) == _letters(value):
            kept[name] = seen[name]
    return kept


def _letters(value: Any) -> str:
    return stringify(value).casefold()


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a map as it is, and anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}
