from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.leases import LeaderElection, LeadershipLostError, Timing
from support.eventually import eventually
from support.fake_kube import FakeKube, Fault

TIMING = Timing(duration=1.0, renew_deadline=0.4, retry=0.02)


def election(client: KubeClient, identity: str, timing: Timing = TIMING) -> LeaderElection:
    return LeaderElection(client, namespace="default", name="operator", identity=identity, timing=timing)


@contextlib.asynccontextmanager
async def task(coroutine: Any) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(coroutine)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait({running})


def record(kube: FakeKube) -> dict[str, Any]:
    body = kube.get("leases", "operator")
    return {} if body is None else body["spec"]


async def test_the_first_one_makes_the_lease(client: KubeClient, kube: FakeKube) -> None:
    await election(client, "a").acquire()
    spec = record(kube)
    assert spec["holderIdentity"] == "a"
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (1, 0)
    assert spec["acquireTime"] == spec["renewTime"]


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": ""}, {"holderIdentity": "a"}])
async def test_a_free_lease_is_taken_at_once(
    client: KubeClient, kube: FakeKube, spec: dict[str, Any]
) -> None:
    kube.create("leases", {"metadata": {"name": "operator"}, "spec": spec})
    async with asyncio.timeout(TIMING.duration / 2):
        await election(client, "a").acquire()
    assert record(kube)["holderIdentity"] == "a"


async def test_a_lease_without_a_record_is_taken(client: KubeClient, kube: FakeKube) -> None:
    kube.create("leases", {"metadata": {"name": "operator"}})
    await election(client, "a").acquire()
    assert record(kube)["holderIdentity"] == "a"


async def test_who_renews_stays_the_leader(client: KubeClient, kube: FakeKube) -> None:
    timing = Timing(duration=4.0, renew_deadline=3.0, retry=0.05)  # a busy machine stands still for a second
    leader, other = (election(client, name, timing) for name in "ab")
    await leader.acquire()
    async with task(leader.hold()) as holding, task(other.acquire()) as waiting:
        clock = asyncio.get_running_loop().time
        end = clock() + 1.25 * timing.duration
        await eventually(lambda: clock() > end)
        assert not waiting.done()
        assert not holding.done()
    assert record(kube)["leaseTransitions"] == 0


async def test_a_dead_leader_is_replaced_when_its_time_is_over(client: KubeClient, kube: FakeKube) -> None:
    await election(client, "a").acquire()
    clock = asyncio.get_running_loop().time
    started = clock()
    await election(client, "b").acquire()
    assert TIMING.duration <= clock() - started < 3 * TIMING.duration
    assert (record(kube)["holderIdentity"], record(kube)["leaseTransitions"]) == ("b", 1)


async def test_who_was_not_renewed_in_time_may_not_act(client: KubeClient) -> None:
    now = 1_000.0
    leader = LeaderElection(
        client, namespace="default", name="operator", identity="a", timing=TIMING, clock=lambda: now
    )
    with pytest.raises(LeadershipLostError):
        leader.check()
    await leader.acquire()
    now += TIMING.renew_deadline * 0.9
    leader.check()
    now += TIMING.renew_deadline * 0.2
    with pytest.raises(LeadershipLostError):
        leader.check()


async def test_times_of_others_are_not_believed(client: KubeClient, kube: FakeKube) -> None:
    old = "2001-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 1, "acquireTime": old, "renewTime": old}
    kube.create("leases", {"metadata": {"name": "operator"}, "spec": spec})
    clock = asyncio.get_running_loop().time
    started = clock()
    await election(client, "b").acquire()
    assert clock() - started >= TIMING.duration


async def test_a_longer_promise_of_the_holder_is_respected(client: KubeClient, kube: FakeKube) -> None:
    kube.create(
        "leases",
        {"metadata": {"name": "operator"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 3_600}},
    )
    async with task(election(client, "b").acquire()) as waiting:
        clock = asyncio.get_running_loop().time
        end = clock() + 1.5 * TIMING.duration
        await eventually(lambda: clock() > end)
        assert not waiting.done()


async def test_release_lets_the_next_one_in_at_once(client: KubeClient, kube: FakeKube) -> None:
    leader = election(client, "a")
    await leader.acquire()
    async with task(election(client, "b").acquire()) as waiting:
        await eventually(lambda: kube.counts["get", "leases", ""] > 3)
        await leader.release()
        async with asyncio.timeout(TIMING.duration / 2):
            await waiting
    assert record(kube)["holderIdentity"] == "b"


async def test_release_leaves_the_lease_of_another_alone(client: KubeClient, kube: FakeKube) -> None:
    await election(client, "a").acquire()
    before = record(kube)
    await election(client, "b").release()
    assert record(kube) == before


@pytest.mark.parametrize("fault", [Fault(status=503, times=-1), Fault(status=403, times=-1)])
async def test_release_never_fails(client: KubeClient, kube: FakeKube, fault: Fault) -> None:
    leader = election(client, "a")
    await leader.acquire()
    kube.fail(fault)
    await leader.release()
    assert record(kube)["holderIdentity"] == "a"


async def test_of_two_that_race_one_wins(client: KubeClient, kube: FakeKube) -> None:
    kube.create("leases", {"metadata": {"name": "operator"}, "spec": {}})
    kube.fail(Fault(verb="get", resource="leases", delay=0.05, times=2))
    async with (
        task(election(client, "a").acquire()) as first,
        task(election(client, "b").acquire()) as second,
    ):
        await eventually(lambda: first.done() or second.done())
        assert first.done() != second.done()
        assert record(kube)["holderIdentity"] == ("a" if first.done() else "b")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, times=-1),
        Fault(status=403, times=-1),
        Fault(cut="before", times=-1),
        Fault(delay=60, times=-1),
    ],
)
async def test_who_cannot_renew_gives_up_before_others_take_over(
    client: KubeClient, kube: FakeKube, fault: Fault
) -> None:
    leader = election(client, "a")
    await leader.acquire()
    clock = asyncio.get_running_loop().time
    started = clock()
    kube.fail(fault)
    with pytest.raises(LeadershipLostError, match=r"could not be renewed for 0\.4 s"):
        await leader.hold()
    assert clock() - started < TIMING.duration


async def test_a_server_that_refuses_connections_is_waited_out(client: KubeClient, kube: FakeKube) -> None:
    leader = election(client, "a")
    await leader.acquire()
    await kube.stop()
    async with task(leader.hold()) as holding:
        await kube.start()
        before = kube.counts["patch", "leases", ""]
        await eventually(lambda: kube.counts["patch", "leases", ""] > before)
        assert not holding.done()


async def test_who_sees_another_leader_gives_up_at_once(client: KubeClient, kube: FakeKube) -> None:
    leader = election(client, "a", Timing(duration=60, renew_deadline=30, retry=0.02))
    await leader.acquire()
    kube.patch("leases", "operator", {"spec": {"holderIdentity": "b"}})
    with pytest.raises(LeadershipLostError, match="held by b"):
        async with asyncio.timeout(5):
            await leader.hold()


async def test_labels_set_by_others_do_not_disturb(client: KubeClient, kube: FakeKube) -> None:
    leader = election(client, "a")
    await leader.acquire()

    def disturbed_long_enough() -> bool:
        renewals = kube.counts["patch", "leases", ""]
        kube.annotate("leases", "operator", {"renewals": str(renewals)})
        return renewals >= 20

    async with task(leader.hold()) as holding:
        await eventually(disturbed_long_enough)
        assert not holding.done()


async def test_waiting_for_permission_is_logged_once(
    client: KubeClient, kube: FakeKube, caplog: pytest.LogCaptureFixture
) -> None:
    kube.fail(Fault(status=403, times=5))
    with caplog.at_level(logging.WARNING):
        await election(client, "a").acquire()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "get leases (coordination.k8s.io) 'operator' in namespace 'default'" in message
    assert record(kube)["holderIdentity"] == "a"
