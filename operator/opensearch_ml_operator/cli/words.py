"""Marks, wrapped lines, and where a reason is explained."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ..constants import Reason
from .shell import WIDTH

MARKS = {True: "✓", False: "✗", None: "…"}
"""Well, not well, not known yet."""


def wrapped(text: str, width: int = WIDTH) -> Sequence[str]:
    """Return a text in lines; ids, addresses and commands stay whole, as people copy them."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def reason_link(reason: str) -> str:
    """Return where the documentation explains a reason."""
    return f"docs/reasons.md#{reason.lower()}" if reason in set(Reason) else "docs/cli.md#status"
