"""Corrections counted while they are equal and recent; states watched for how long they last."""

from __future__ import annotations

from opensearch_ml_operator.reconcilers.corrections import WINDOW, Corrections
from opensearch_ml_operator.reconcilers.model_watch import Watch, Watches
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


def test_a_state_is_timed_from_when_it_was_first_seen() -> None:
    clock = Clock()
    watches = Watches(clock.monotonic)
    seen = []
    for state, seconds in (("DEPLOYING", 5), ("DEPLOYING", 5), ("DEPLOYED", 1), ("DEPLOYED", 0)):
        seen.append(watches.see("uid", state))
        clock.seconds += seconds

    assert seen == [Watch(0, 0), Watch(5, 1), Watch(0, 2), Watch(1, 3)]
    watches.restart("uid")
    assert watches.see("uid", "DEPLOYED") == Watch(0, 0)
