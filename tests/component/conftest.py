"""The scene of the component tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from support.scene import Scene, scene


class Stage(Protocol):
    """Sets a scene other than the usual one; it ends with the test."""

    async def __call__(self, **how: Any) -> Scene: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let killed operators leave their sockets to the kernel, as a killed process does."""
    for item in items:
        if "stage" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:coroutine .* never awaited:RuntimeWarning"))


@pytest.fixture(autouse=True)
def no_public_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients find the system's store empty: loading it takes 20 ms, and nothing here is signed by it."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with contextlib.AsyncExitStack() as stack:

        async def enter(**how: Any) -> Scene:
            return await stack.enter_async_context(scene(tmp_path, **how))

        yield enter


@pytest.fixture
async def world(stage: Stage) -> Scene:
    """Set the usual scene: OpenSearch 3.6 without Security, the operator running, nothing in it."""
    return await stage()
