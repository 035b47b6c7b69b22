"""What the pod takes: memory and processor time with a number of sets, and the time to start and to stop.

Times are told and not judged: they are those of a machine that does other things too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.live_kube import is_ready
from support.live_stage import Stage
from support.live_waiting import until
from support.node_cost import MIB, Usage
from support.node_release import Release, phases

pytestmark = pytest.mark.exhaustive

SECONDS = 300.0
REST_SECONDS = 30.0
MOST_MEMORY = 128 * MIB

Tell = Callable[[str, object], None]


@pytest.fixture(scope="module", autouse=True)
def installed(release: Release) -> None:
    release.install()


def replace_pod(release: Release) -> tuple[float, float]:
    """Delete the pod; return the seconds until it was gone, and from the new one's creation to Ready."""
    old = release.pod()["metadata"]
    began = time.monotonic()
    release.kubectl("delete", "pod", old["name"], "--wait=false")
    gone = ready = created = 0.0
    while not (gone and ready):
        now, found = time.monotonic(), phases(release)
        if old["uid"] not in found:
            gone = gone or now
        new = [each for uid, each in found.items() if uid != old["uid"]]
        created = created or (now if new else 0.0)
        ready = ready or (now if "Ready" in new else 0.0)
        assert now < began + SECONDS, found
    return gone - began, ready - created


def test_starts_and_stops(release: Release, record_property: Tell) -> None:
    stops, starts = zip(*(replace_pod(release) for _ in range(3)), strict=True)
    record_property("pod created to Ready, three times, s", ", ".join(f"{each:.1f}" for each in starts))
    record_property("pod deleted to gone, three times, s", ", ".join(f"{each:.1f}" for each in stops))


@pytest.mark.parametrize("sets", [1, 10, 100])
def test_memory_is_within_the_request(
    release: Release, stage: Stage, record_property: Tell, sets: int
) -> None:
    replace_pod(release)
    usage = Usage.of(release.pod())
    stage.connect()
    names = [f"set-{number:03}" for number in range(sets)]
    began, before = time.monotonic(), usage.cpu_seconds()
    stage.kube.apply_at_once(*(document for name in names for document in stage.sets.one_set(name)))

    def all_ready() -> bool:
        usage.memory()
        return sum(map(is_ready, stage.kube.list("RemoteModel"))) == sets

    until(all_ready, seconds=SECONDS, poll=0.2)
    record_property(f"{sets} sets: applied to Ready, s", f"{time.monotonic() - began:.1f}")
    record_property(f"{sets} sets: processor time of it, s", f"{usage.cpu_seconds() - before:.1f}")

    began, before = time.monotonic(), usage.cpu_seconds()
    until(lambda: usage.memory() and time.monotonic() - began > REST_SECONDS, seconds=SECONDS, poll=1)
    millicores = (usage.cpu_seconds() - before) * 1000 / (time.monotonic() - began)
    record_property(f"{sets} sets: processor at rest, millicores", f"{millicores:.0f}")
    record_property(f"{sets} sets: working set at rest, MiB", f"{usage.memory() / MIB:.0f}")
    stage.kube.delete_all(seconds=SECONDS)
    usage.memory()
    record_property(f"{sets} sets: most seen, MiB", f"{usage.peak / MIB:.0f}")
    assert usage.peak < MOST_MEMORY
