"""The create protocol in every order of steps, crashes, lost answers, late effects and a deletion."""

from __future__ import annotations

import pytest

from unit.reconcilers.creation.protocol_world import LATEST, search


@pytest.mark.parametrize(
    ("processes", "crashes", "losses"),
    [
        pytest.param(1, 0, 0, id="no-faults"),
        pytest.param(1, 2, 0, id="two-crashes"),
        pytest.param(1, 0, 2, id="two-lost-answers"),
        pytest.param(1, 2, 2, id="two-crashes-two-lost-answers"),
    ],
)
def test_there_is_never_a_second_object_nor_one_without_its_resource(
    processes: int, crashes: int, losses: int
) -> None:
    verdict = search(processes=processes, crashes=crashes, losses=losses, quiet_period=LATEST + 20)

    assert verdict.most_objects == 1
    assert not verdict.left_behind


def test_every_world_can_still_come_to_its_end_without_a_person() -> None:
    verdict = search(processes=1, crashes=2, losses=2, quiet_period=LATEST + 20)

    assert not verdict.stuck


def test_a_quiet_period_shorter_than_the_server_is_late_makes_duplicates_and_leaks() -> None:
    """The search sees what it looks for, and the quiet period is what prevents it."""
    verdict = search(processes=1, crashes=1, losses=1, quiet_period=LATEST - 20)

    assert verdict.most_objects > 1
    assert verdict.left_behind
