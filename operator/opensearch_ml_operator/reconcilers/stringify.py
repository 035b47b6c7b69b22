"""Parameters as the server stores them."""

from __future__ import annotations

import json
from typing import Any


def stringify(value: Any) -> str:
    """Return text as it is, everything else as JSON text (`StringUtils.toJson` of ml-commons)."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
