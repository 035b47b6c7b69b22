"""The settings of one cluster."""

from __future__ import annotations

import pytest

from unit.reconcilers.settings.world import World


@pytest.fixture
def world() -> World:
    return World()
