"""One connection of whose resources some are gone."""

from __future__ import annotations

import pytest

from unit.reconcilers.orphans.world import World


@pytest.fixture
def orphaned() -> World:
    return World()
