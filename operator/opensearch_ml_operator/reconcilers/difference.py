"""What differs between a remote object and its spec, field by field, as people read it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..models.common import PendingChange

MOST: Final = 20
"""Differences that are shown; a person who has read so many looks for himself."""
_LONGEST: Final = 200
_MASKED: Final = "***"
SOUNDS_SECRET = re.compile(
    r"(?i)password|secret|credential|authorization|cookie|(api|access|private)[-_]?key|[-_]key$|token$"
)

_CREDENTIAL = re.compile(r"(^|\.)credentials?(\.|\[|$)")


def changes(
    shown: Mapping[str, Any], wanted: Mapping[str, Any], *, mask: Callable[[str], str], merged: bool = False
) -> tuple[PendingChange, ...]:
    """Return what would be changed, ordered by path; `mask` takes known secrets out of a text.

    Values under a name that sounds like a secret are masked whatever they are: those of an object that
    somebody else has made are not known. `merged`: the server merges maps, so what it shows beyond what is
    wanted is no difference.
    """
    found = []
    for path, before, after in _leaves("", shown, wanted, merged=merged):
        hidden = bool(SOUNDS_SECRET.search(path.rpartition(".")[2]) or _CREDENTIAL.search(path))
        found.append(
            PendingChange(
                path=path[:_LONGEST],
                from_=_text(before, mask, hidden=hidden),
                to=_text(after, mask, hidden=hidden),
            )
        )
    return tuple(found)


def named(found: tuple[PendingChange, ...]) -> str:
    """Name the differences for a message, the first few."""
    shown = ", ".join(change.path for change in found[:5])
    return f"{shown} and {len(found) - 5} more" if len(found) > 5 else shown  # noqa: PLR2004 - as above


def _leaves(path: str, shown: Any, wanted: Any, *, merged: bool) -> Iterator[tuple[str, Any, Any]]:
    if shown == wanted:
        return
    if isinstance(shown, Mapping | None) and isinstance(wanted, Mapping | None):
        before, after = shown or {}, wanted or {}
        for key in sorted(after if merged and wanted is not None else {**before, **after}):
            name = f"{path}.{key}" if path else str(key)
            yield from _leaves(name, before.get(key), after.get(key), merged=merged)
        return
    if _has_maps(shown) or _has_maps(wanted):
        shown, wanted = shown or (), wanted or ()
        for index in range(max(_length(shown), _length(wanted))):
            yield from _leaves(f"{path}[{index}]", _at(shown, index), _at(wanted, index), merged=merged)
        return
    yield path, shown, wanted


def _has_maps(value: Any) -> bool:
    """Whether it is a list whose items have names to look into: each may be a secret's."""
    return isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value)


def _at(items: Any, index: int) -> Any:
    if not isinstance(items, list | tuple):
        return items if index == 0 else None
    return items[index] if index < len(items) else None


def _length(items: Any) -> int:
    return len(items) if isinstance(items, list | tuple) else 1


def _text(value: Any, mask: Callable[[str], str], *, hidden: bool) -> str | None:
    if value is None:
        return None
    if hidden:
        return _MASKED
    text = mask(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
