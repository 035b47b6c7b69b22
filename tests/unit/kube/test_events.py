from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from opensearch_ml_operator.kube import events as module
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.events import KubeEvents
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from support.eventually import eventually
from support.fake_kube import FakeKube, Fault

SNAPSHOT = Snapshot(
    ObjectKey("RemoteModel", "default", "m"), "u-1", "7", 1, "", deleting=False, finalizer=True
)
POSTS = ("create", "events", "")


class Time:
    """A clock that tests set; its sleep returns at once."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sink(client: KubeClient, time: Time) -> KubeEvents:
    return KubeEvents(
        client,
        "pod-1",
        clock=time.clock,
        now=lambda: datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC),
        chance=random.Random(1),  # noqa: S311 - names
        sleep=time.sleep,
    )


@contextlib.asynccontextmanager
async def running(sink: KubeEvents) -> AsyncIterator[None]:
    task = asyncio.create_task(sink.run())
    try:
        yield
    finally:
        await sink.aclose()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def post(sink: KubeEvents, message: str = "Created model abc", *, snapshot: Snapshot = SNAPSHOT) -> None:
    sink.post(snapshot, kind="Normal", reason="Created", message=message)


async def test_event_is_about_the_object(sink: KubeEvents, kube: FakeKube) -> None:
    async with running(sink):
        post(sink)
    (event,) = kube.events
    assert event["involvedObject"] == {
        "apiVersion": "opensearchml.io/v1alpha1",
        "kind": "RemoteModel",
        "namespace": "default",
        "name": "m",
        "uid": "u-1",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Created", "Created model abc")
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-24T01:02:03Z"
    assert event["count"] == 1
    assert event["reportingComponent"] == event["source"]["component"] == "opensearch-ml-operator"
    assert event["reportingInstance"] == "pod-1"
    assert event["metadata"]["name"].startswith("m.")


async def test_object_without_a_namespace(sink: KubeEvents, kube: FakeKube) -> None:
    key = ObjectKey("ClusterOpenSearchConnection", "", "shared")
    async with running(sink):
        post(sink, snapshot=Snapshot(key, "u-2", "7", 1, "", deleting=False, finalizer=True))
    (event,) = kube.events
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


async def test_an_equal_event_is_posted_once_in_ten_minutes(
    sink: KubeEvents, kube: FakeKube, time: Time
) -> None:
    async with running(sink):
        post(sink)
        time.seconds += 599
        post(sink)
        post(sink, "Created model xyz")
        post(sink, snapshot=Snapshot(SNAPSHOT.key, "u-2", "9", 1, "", deleting=False, finalizer=True))
        time.seconds += 1
        post(sink)
    assert len(kube.events) == 4


async def test_the_observer_is_told_of_each_even_of_those_that_are_not_posted_again(
    client: KubeClient, kube: FakeKube
) -> None:
    told: list[str] = []
    sink = KubeEvents(
        client, "pod-1", observer=lambda snapshot, reason: told.append(f"{snapshot.key} {reason}")
    )
    async with running(sink):
        post(sink)
        post(sink)
    assert told == [f"{SNAPSHOT.key} Created"] * 2
    assert len(kube.events) == 1


async def test_memory_of_posted_events_is_bounded(
    sink: KubeEvents, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    async with running(sink):
        for number in (0, 1, 2, 2, 3, 0):
            post(sink, f"message {number}")
    assert sorted(event["message"][-1] for event in kube.events) == ["0", "0", "1", "2", "3"]


@pytest.mark.parametrize("text", ["x" * 5_000, "ä" * 5_000, "x" + "ä€" * 1_000])
async def test_message_fits(sink: KubeEvents, kube: FakeKube, text: str) -> None:
    async with running(sink):
        post(sink, text)
    message = kube.events[0]["message"]
    assert 1_015 < len(message.encode()) <= 1_024
    assert message.endswith("…")
    assert text.startswith(message[:-1])


async def test_name_fits(sink: KubeEvents, kube: FakeKube) -> None:
    key = ObjectKey("RemoteModel", "default", "m" * 253)
    async with running(sink):
        post(sink, snapshot=Snapshot(key, "u", "1", 1, "", deleting=False, finalizer=True))
    assert len(kube.events[0]["metadata"]["name"]) == 253


async def test_overflow_is_dropped_and_counted(sink: KubeEvents) -> None:
    for number in range(1_003):
        post(sink, f"message {number}")
    assert sink.dropped == 3


async def test_an_outage_is_waited_out(sink: KubeEvents, kube: FakeKube, time: Time) -> None:
    kube.fail(Fault(verb="create", status=503, times=1))
    kube.fail(Fault(verb="create", status=429, retry_after=20, times=1))
    async with running(sink):
        post(sink)
        await eventually(lambda: kube.events)
    assert time.slept == [2.0, 20.0]
    assert sink.dropped == 0


async def test_an_event_whose_answer_was_lost_stays_single(sink: KubeEvents, kube: FakeKube) -> None:
    kube.fail(Fault(verb="create", cut="after"))
    async with running(sink):
        post(sink)
    assert kube.counts[POSTS] == 2
    assert len(kube.events) == 1
    assert sink.dropped == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(verb="create", status=403),  # also the answer of a namespace that is being deleted
        Fault(verb="create", status=404),
        Fault(verb="create", status=422),
        Fault(verb="create", status=503, times=3),
    ],
)
async def test_a_refused_event_stops_nothing(sink: KubeEvents, kube: FakeKube, fault: Fault) -> None:
    kube.fail(fault)
    async with running(sink):
        post(sink, "lost")
        post(sink, "seen")
        await eventually(lambda: kube.events)
    assert [event["message"] for event in kube.events] == ["seen"]
    assert sink.dropped == 1


async def test_closing_takes_a_bounded_time(
    sink: KubeEvents, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FLUSH", 0.05)
    kube.fail(Fault(verb="create", delay=60))
    started = asyncio.get_running_loop().time()
    async with running(sink):
        post(sink, "in flight")
        post(sink, "waiting")
    assert asyncio.get_running_loop().time() - started < 5
    assert not kube.events


async def test_after_closing_nothing_is_taken(sink: KubeEvents, kube: FakeKube) -> None:
    async with running(sink):
        await sink.aclose()
        post(sink)
    assert not kube.events
