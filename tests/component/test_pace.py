"""A tight limit on a connection: everything becomes Ready, and the cluster never gets more than it allows."""

from __future__ import annotations

from opensearch_ml_operator.opensearch.operations import HEALTH_CHECKS
from support.fake_mlcommons.cluster import Call
from support.operator_in_process import Clock

from .conftest import Stage

SPEED = 3.0
CHECKS = {"search-models", *(operation.value for operation in HEALTH_CHECKS)}
"""A health check also searches; nothing else does while a first set is made."""


async def test_no_more_requests_than_the_limits_allow(stage: Stage) -> None:
    world = await stage(speed=SPEED)
    clock, times = Clock(SPEED), list[float]()

    async def note(call: Call) -> None:
        if call.operation not in CHECKS:
            times.append(clock.monotonic())

    world.ml.before = note
    world.model()
    world.connector()
    world.group()
    world.secret("key", token="value-of-the-credential")
    begun = clock.monotonic()  # the first request may have been on its way for long when it arrives
    world.connection(limits={"requestsPerSecond": 1, "burst": 2})
    await world.ready(seconds=90)
    world.check_one_each()
    assert len(times) == 5
    for number, time in enumerate(times, start=1):
        assert number <= 2 + (time - begun) + 0.1
