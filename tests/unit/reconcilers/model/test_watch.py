"""States watched for how long they last."""

from __future__ import annotations

from opensearch_ml_operator.reconcilers.model.watch import Watch, Watches
from support.memory_clock import Clock


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
