"""What ML Commons does, as checks that run against the real servers and against the fake.

Each check gets a `Target`, makes its own objects and removes them. A check that only the fake passed would
prove nothing: the live tests run the same list, so the fake cannot drift.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

_MODULES = (
    "connectors",
    "dependants",
    "deploying",
    "groups",
    "internal",
    "markers",
    "models",
    "reading",
    "rights",
    "settings",
    "target",
)
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from . import (  # noqa: E402 - rewritten, so that failures explain
    connectors,
    dependants,
    deploying,
    groups,
    internal,
    markers,
    models,
    reading,
    rights,
    settings,
)
from .target import Target  # noqa: E402

Check = Callable[[Target], Awaitable[None]]

CHECKS: tuple[Check, ...] = (
    *reading.CHECKS,
    *settings.CHECKS,
    *rights.CHECKS,
    *groups.CHECKS,
    *connectors.CHECKS,
    *models.CHECKS,
    *internal.CHECKS,
    *deploying.CHECKS,
    *dependants.CHECKS,
    *markers.CHECKS,
)

__all__ = ["CHECKS", "Check", "Target"]
