"""Who does not lead sends nothing to OpenSearch."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_ml_operator import app
from opensearch_ml_operator.config import Settings
from opensearch_ml_operator.kube.leases import LeadershipLostError
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.logs import Redactor
from opensearch_ml_operator.metrics import Metrics
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_kube import FakeKube
from support.fake_mlcommons import FakeMLCommons

KEY = ObjectKey("OpenSearchConnection", "team", "main")


async def test_requests_leave_only_while_the_lease_is_held(tmp_path: Path) -> None:
    now = 1_000.0
    settings = Settings(lease_namespace="default", pod_name="a")
    async with FakeKube() as fake, FakeMLCommons() as server:
        environ = {"KUBECONFIG": str(fake.kubeconfig(tmp_path / "kubeconfig"))}
        async with await connect(environ=environ) as kube:
            operator = app.build(settings, kube, Metrics(), Redactor(), environ={}, monotonic=lambda: now)
            client = await operator.pool.put(KEY, ConnectionSettings(endpoints=(server.url,)))
            with pytest.raises(LeadershipLostError):
                await client.create_group({"name": "g"})
            assert operator.election is not None
            await operator.election.acquire()
            await client.create_group({"name": "g"})
            now += settings.lease_renew_deadline
            with pytest.raises(LeadershipLostError):
                await client.create_group({"name": "h"})
            await operator.pool.aclose()
        assert [group["name"] for group in server.groups.values()] == ["g"]
