"""What the tests of all kinds share: a stage without resources, and its one cluster.

The folder of a kind puts the kind's own on it.
"""

from __future__ import annotations

import pytest

from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import Stage
from unit.reconcilers.driving import Driver


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def resting(driver: Driver) -> Driver:
    """Return the driver of an object that has been looked at once since it came to rest."""
    await driver.rest()
    await driver.rest()
    return driver


@pytest.fixture
def cluster(stage: Stage) -> MemoryOpenSearch:
    return stage.cluster()
