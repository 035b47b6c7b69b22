"""What all tests share: the fixtures of the local stack, and how they are shared out among processes."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

from support.sharing import Sharing

pytest_plugins = ["stack.fixtures"]

settings.register_profile("any machine", deadline=None)  # a slow one is no failure
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Take what is loaded by now out of the garbage collector's sight: each operator that ends collects."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    """Take the place of `--dist`."""
    return Sharing(config, log)
