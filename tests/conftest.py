"""What all tests share: the fixtures of the local stack."""

from __future__ import annotations

import gc

pytest_plugins = ["stack.fixtures"]


def pytest_collection_finish() -> None:
    """Take what is loaded by now out of the garbage collector's sight: each operator that ends collects."""
    gc.freeze()
