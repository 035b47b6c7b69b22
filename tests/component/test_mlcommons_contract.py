"""The fake of ML Commons does what the real servers do: the same checks run against those in tests/live."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_mlcommons import FakeMLCommons
from support.mlcommons_contract import CHECKS, Check
from support.mlcommons_contract.target import target


@pytest.mark.parametrize("version", ["2.19.1", "3.6.0", "3.7.0", "3.9.0"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_fake(check: Check, version: str) -> None:
    secured = version.startswith("2")
    users = {"admin": "password"} if secured else None
    async with FakeMLCommons(version=version, users=users) as server:
        server.cluster.register_seconds = 0.005
        settings = ConnectionSettings(
            endpoints=(server.url,),
            username="admin" if secured else None,
            password="password" if secured else None,
        )
        major, minor, _ = version.split(".")
        model_url = "http://127.0.0.1:9/v1/embeddings"
        async with target(
            settings, release=(int(major), int(minor)), model_url=model_url
        ) as server_under_test:
            await check(server_under_test)
        assert server.models == {}
        assert server.connectors == {}
        assert server.groups == {}
