"""Corrections counted while they are equal and recent."""

from __future__ import annotations

from opensearch_ml_operator.reconcilers.corrections import WINDOW, Corrections
from support.memory_clock import Clock


def test_equal_corrections_add_up_and_a_different_one_starts_anew() -> None:
    corrections = Corrections(Clock().monotonic)
    counts = []
    for what in ("a", "a", "b", "a"):
        corrections.add("uid", what)
        counts.append(corrections.count("uid", what))

    assert counts == [1, 2, 1, 1]
    assert corrections.count("another", "a") == 0


def test_corrections_grow_old_one_by_one_and_can_be_forgotten() -> None:
    clock = Clock()
    corrections = Corrections(clock.monotonic)
    for _ in range(2):
        corrections.add("uid", "a")
        clock.seconds += 10
    clock.seconds = WINDOW
    assert corrections.count("uid", "a") == 1
    corrections.forget("uid")
    assert corrections.count("uid", "a") == 0
