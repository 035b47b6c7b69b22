"""The start: every object is heard of before anything is decided, and one kind does not wait for another."""

from __future__ import annotations

from support.eventually import eventually
from support.fake_kube import Fault
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS

from .conftest import Stage


async def test_kinds_are_read_side_by_side_and_nothing_is_done_before_the_last(stage: Stage) -> None:
    world = await stage(start=False)
    world.everything()
    for plural in (CONNECTIONS, MODELS):
        world.kube.fail(Fault(verb="list", resource=plural, status=503, times=-1))
    await world.operator.start()
    await eventually(lambda: world.kube.counts["list", CONNECTIONS, ""] > 1)
    for plural in (GROUPS, CONNECTORS):
        assert world.kube.counts["list", plural, ""] == 1
    assert not world.ml.requests
    assert not world.writes()
    world.kube.heal()
    await world.ready()
