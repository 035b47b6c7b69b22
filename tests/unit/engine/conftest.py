"""Runs every test of this folder in virtual time: waiting takes none, and a test that would hang fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from unit.engine.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], VirtualTimeLoop]]:
    del config, item
    return {"virtual-time": VirtualTimeLoop}
