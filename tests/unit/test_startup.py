"""What the process sets up before the operator runs."""

from __future__ import annotations

import gc
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from opensearch_ml_operator import startup


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_garbage_collector_looks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, int]] = []

    def run(operator: Coroutine[Any, Any, None]) -> None:
        operator.close()
        seen.append(gc.get_threshold())

    monkeypatch.setenv("OPENSEARCH_ML_LEADER_ELECTION", "false")
    monkeypatch.setattr(startup, "set_up", lambda *_, **__: None)
    monkeypatch.setattr("uvloop.run", run)
    startup.start()
    assert seen == [startup.GARBAGE]
