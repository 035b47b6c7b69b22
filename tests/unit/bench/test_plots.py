"""The pictures show what was measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bench.plots import Chart, costs, latencies

SVG = "{http://www.w3.org/2000/svg}"


def run(driver: str = "operator", step: str = "create", sets: int = 10, **more: Any) -> dict[str, Any]:
    return {"driver": driver, "step": step, "sets": sets, "cpu": None, "latencies": [], **more}


def parts(chart: Chart, name: str) -> list[ET.Element]:
    return list(ET.fromstring(chart.svg()).iter(f"{SVG}{name}"))  # noqa: S314 - text of our own


def test_latencies_are_a_distribution_for_each_driver() -> None:
    runs = [
        run(latencies=[3.0, 1.0]),
        run(latencies=[2.0, 4.0]),
        run("raw", latencies=[1.0]),
        run(sets=20, latencies=[9.0]),
        run(step="delete", latencies=[8.0]),
    ]
    assert latencies(runs, 10).lines == {
        "operator": [(1.0, 25.0), (2.0, 50.0), (3.0, 75.0), (4.0, 100.0)],
        "raw": [(1.0, 100.0)],
    }


def test_costs_are_of_one_set_and_the_middle_of_several_runs() -> None:
    runs = [
        *(run(sets=10, cpu=cpu) for cpu in (0.1, 0.5, 0.2)),
        run(sets=1000, cpu=30.0),
        run(sets=1000, step="delete", cpu=4.0),
        run(sets=1000, step="restart", cpu=9.0),
        run("raw"),
    ]
    chart = costs(runs)
    assert chart.names == ["10", "1,000"]
    assert chart.lines == {"create": [(0, pytest.approx(20.0)), (1, 30.0)], "delete": [(1, 4.0)]}


def test_a_picture_names_its_lines_and_axes() -> None:
    chart = Chart("title & more", "sets", "ms", {"a<b": [(0, 1.0), (1, 2.0)]}, names=["10", "100"])
    assert {each.text for each in parts(chart, "text")} >= {
        "title & more",
        "sets",
        "ms",
        "a<b",
        "10",
        "100",
        "2",
        "0",
    }
    (line,) = parts(chart, "polyline")
    first, last = (tuple(map(float, point.split(","))) for point in line.attrib["points"].split())
    assert first[0] < last[0]
    assert first[1] > last[1]


def test_nothing_measured_draws_no_line() -> None:
    assert parts(latencies([], 10), "polyline") == []
