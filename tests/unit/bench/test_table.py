"""What several runs of one thing look like in the table."""

from __future__ import annotations

import pytest

from bench.figures import Figures, Spread, percentile
from bench.table import HEAD, STEPS, table
from bench.usage import OPENSEARCH


def figures(driver: str = "operator", step: str = "create", sets: int = 10, wall: float = 1.0) -> Figures:
    return Figures(driver=driver, step=step, sets=sets, wall=wall, requests={"get-model": 2 * sets})


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_a_line_for_each_driver_step_and_size_in_order() -> None:
    runs = [figures(driver, step, sets) for sets in (100, 9) for step in reversed(STEPS) for driver in "ba"]
    head, _, *lines = cells(table([*runs, *runs]))
    assert head == list(HEAD)
    assert [tuple(line[:4]) for line in lines] == [
        (str(sets), step, driver, "2") for sets in (9, 100) for step in STEPS for driver in "ab"
    ]


def test_several_runs_are_told_by_least_middle_and_most() -> None:
    line = cells(table([figures(wall=wall) for wall in (3.0, 1.0, 2.5)]))[2]
    assert line[HEAD.index("wall s")] == "1.00 / 2.50 / 3.00"
    assert line[HEAD.index("requests per set")] == "2.00"


def test_the_servers_are_those_of_opensearch_and_those_of_kubernetes() -> None:
    one = Figures("raw", "create", 1, 1.0, {}, servers={OPENSEARCH: 3.0, "etcd": 0.5, "kube-apiserver": 1.0})
    line = cells(table([one]))[2]
    assert line[HEAD.index("OpenSearch CPU s")] == "3.0"
    assert line[HEAD.index("Kubernetes CPU s")] == "1.5"


def test_what_was_not_measured_is_empty() -> None:
    line = cells(table([figures()]))[2]
    for name in ("Ready p50 s", "CPU s", "OpenSearch CPU s", "peak MiB", "writes per set"):
        assert line[HEAD.index(name)] == ""
    assert Spread.of([]) is None


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 3), (0.99, 4), (1.0, 4)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], share) == value
