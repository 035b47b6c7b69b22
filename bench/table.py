"""The result as a table of Markdown, one line for each driver, step and number of sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from bench.figures import Figures, Spread, percentile
from bench.usage import OPENSEARCH

STEPS = ("create", "resync", "restart", "drift", "edit", "rotate", "delete")
HEAD = (
    "sets",
    "step",
    "driver",
    "runs",
    "wall s",
    "Ready p50 s",
    "Ready p99 s",
    "CPU s",
    "OpenSearch CPU s",
    "Kubernetes CPU s",
    "memory MiB",
    "peak MiB",
    "requests per set",
    "refused",
    "stuck deploys",
    "spare models",
    "writes per set",
)


def table(runs: Iterable[Figures]) -> str:
    """Return the table; a spread is minimum / median / maximum."""

    def place(each: Figures) -> tuple[int, int, str]:
        return each.sets, STEPS.index(each.step), each.driver

    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for _, group in groupby(sorted(runs, key=place), key=place):
        lines.append(_line(_cells(list(group))))
    return "\n".join(lines)


def _cells(runs: Sequence[Figures]) -> list[str]:
    first = runs[0]
    ready = [each.latencies for each in runs if each.latencies]
    return [
        str(first.sets),
        first.step,
        first.driver,
        str(len(runs)),
        _spread([each.wall for each in runs]),
        _spread([percentile(each, 0.5) for each in ready]),
        _spread([percentile(each, 0.99) for each in ready]),
        _spread([each.cpu for each in runs if each.cpu is not None]),
        _spread([each.servers[OPENSEARCH] for each in runs if OPENSEARCH in each.servers], digits=1),
        _spread([_kubernetes(each) for each in runs if OPENSEARCH in each.servers], digits=1),
        _spread([each.memory for each in runs if each.memory is not None], digits=0),
        _spread([each.peak for each in runs if each.peak is not None], digits=0),
        _spread([sum(each.requests.values()) / each.sets for each in runs]),
        _spread([float(each.refused) for each in runs], digits=0),
        _spread([float(each.stuck) for each in runs], digits=0),
        _spread([float(each.spare) for each in runs], digits=0),
        _spread([sum(each.writes.values()) / each.sets for each in runs if each.writes is not None]),
    ]


def _kubernetes(run: Figures) -> float:
    return sum(cpu for name, cpu in run.servers.items() if name != OPENSEARCH)


def _spread(values: Sequence[float], *, digits: int = 2) -> str:
    spread = Spread.of(values)
    if spread is None:
        return ""
    numbers = [f"{value:.{digits}f}" for value in (spread.low, spread.middle, spread.high)]
    return numbers[0] if len(set(numbers)) == 1 else " / ".join(numbers)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
