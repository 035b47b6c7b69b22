"""The fake API server keeps the contract that the real one keeps in tests/live/test_kube.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.login import connect
from support.fake_kube import FakeKube
from support.kube_contract import KubeContract, models

__all__ = ["models"]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with FakeKube() as kube:
        path = kube.kubeconfig(tmp_path / "kubeconfig")
        async with await connect(environ={"KUBECONFIG": str(path)}) as connected:
            yield connected


@pytest.fixture
def namespace() -> str:
    return "default"


class TestFake(KubeContract):
    pass
