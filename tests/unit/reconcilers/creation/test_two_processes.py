"""One resource under two operator processes at once, in every order of their steps and faults.

Two processes run when a leader has lost its Lease without noticing; they may be of different releases in how
far they have got, never in what they know of the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from opensearch_ml_operator.reconcilers.connector.reconciler import ConnectorReconciler
from opensearch_ml_operator.reconcilers.group.reconciler import GroupReconciler
from support.kind_documents import MINIMAL
from unit.reconcilers.creation.two_processes import QUIET, Make, Search


@dataclass(frozen=True, slots=True)
class Case:
    """A kind, how its ids look, and the faults that may happen."""

    make: Make
    kind: str
    faults: Mapping[str, int]
    ids: Callable[[int], str] = "id{}".format

    def search(self, **changes: Any) -> Search:
        search = Search(self.make, self.kind, MINIMAL[self.kind], self.ids, **changes)
        search.visit(**{"processes": 2, "crashes": 0, "losses": 0, "deletions": 0, **self.faults})
        return search


def group(**faults: int) -> Case:
    return Case(GroupReconciler, "MLModelGroup", faults)


def connector(**faults: int) -> Case:
    """Return a case in which the first id has a hyphen and is given back."""
    return Case(ConnectorReconciler, "MLConnector", faults, lambda n: "a-0" if n == 0 else f"id{n}")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(group(processes=1, crashes=1, losses=1, deletions=1), id="one-process-all-faults"),
        pytest.param(group(), id="two-processes"),
        pytest.param(group(losses=1), id="a-lost-answer"),
        pytest.param(group(crashes=1), id="a-crash"),
        pytest.param(group(deletions=1), id="a-deletion"),
        pytest.param(connector(), id="a-hyphen"),
        pytest.param(connector(deletions=1), id="a-hyphen-and-a-deletion"),
    ],
)
def test_there_is_never_a_second_object_nor_one_left_behind_nor_a_dead_end(case: Case) -> None:
    search = case.search()

    assert search.most_objects == 1
    assert not search.left_behind
    assert search.stuck == 0


def test_without_a_quiet_period_there_may_be_a_second_object() -> None:
    """The search sees what it looks for."""
    assert group(processes=1, losses=1).search(quiet=0.0).most_objects > 1


def test_the_quiet_period_covers_what_the_server_does_late_but_not_the_wait_for_its_answer() -> None:
    """That it is counted from the end of that wait is what the search above relies on."""
    search = group(processes=1, losses=1).search(quiet=QUIET)

    assert search.most_objects == 1
    assert any(left > QUIET for world in search.after for left, _ in world.late)
