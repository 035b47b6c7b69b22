"""A fake API server and a client to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.login import connect
from support.fake_kube import FakeKube


@pytest.fixture
async def kube() -> AsyncIterator[FakeKube]:
    async with FakeKube() as fake:
        yield fake


@pytest.fixture
async def client(kube: FakeKube, tmp_path: Path) -> AsyncIterator[KubeClient]:
    path = kube.kubeconfig(tmp_path / "kubeconfig")
    async with await connect(environ={"KUBECONFIG": str(path)}) as connected:
        yield connected
