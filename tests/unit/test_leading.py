"""Who does not lead sends nothing to OpenSearch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from opensearch_ml_operator import assembly
from opensearch_ml_operator.config import Settings
from opensearch_ml_operator.kube.leases import LeaderElection, LeadershipLostError
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.logs import Redactor
from opensearch_ml_operator.metrics import Metrics
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings, MLCommons
from support.fake_kube import FakeKube
from support.fake_mlcommons import FakeMLCommons

SETTINGS = Settings(lease_namespace="default", pod_name="a")
KEY = ObjectKey("OpenSearchConnection", "team", "main")


class Clock:
    """Stands still until it is set forward."""

    def __init__(self) -> None:
        self.seconds = 1_000.0


@asynccontextmanager
async def leader(
    folder: Path, clock: Clock, **settings: Any
) -> AsyncIterator[tuple[LeaderElection, MLCommons]]:
    """Return the election of an operator that does not lead yet, and its client of an OpenSearch."""
    async with FakeKube() as fake:
        environ = {"KUBECONFIG": str(fake.kubeconfig(folder / "kubeconfig"))}
        async with await connect(environ=environ) as kube:
            operator = assembly.build(
                SETTINGS, kube, Metrics(), Redactor(), environ={}, monotonic=lambda: clock.seconds
            )
            assert operator.election is not None
            yield operator.election, await operator.pool.put(KEY, ConnectionSettings(**settings))
            await operator.pool.aclose()


async def test_requests_leave_only_while_the_lease_is_held(tmp_path: Path) -> None:
    clock = Clock()
    async with (
        FakeMLCommons() as server,
        leader(tmp_path, clock, endpoints=(server.url,)) as (election, client),
    ):
        with pytest.raises(LeadershipLostError):
            await client.create_group({"name": "g"})
        await election.acquire()
        await client.create_group({"name": "g"})
        clock.seconds += SETTINGS.lease_renew_deadline
        with pytest.raises(LeadershipLostError):
            await client.create_group({"name": "h"})
        assert [group["name"] for group in server.groups.values()] == ["g"]


async def test_what_has_waited_for_its_turn_does_not_leave_after_that_time(tmp_path: Path) -> None:
    clock = Clock()
    async with (
        FakeMLCommons() as server,
        leader(tmp_path, clock, endpoints=(server.url,), max_in_flight=1) as (election, client),
    ):
        await election.acquire()
        hold = server.hold("get-model")
        first = asyncio.create_task(client.get_model("m"))
        await hold.arrived.wait()
        waiting = asyncio.create_task(client.create_group({"name": "g"}))
        await asyncio.sleep(0)
        clock.seconds += SETTINGS.lease_renew_deadline
        hold.release()
        with pytest.raises(LeadershipLostError):
            await waiting
        await asyncio.wait([first])
        assert not server.groups
