"""docs/metrics.md lists the metrics that are served, with their types, labels and help texts."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Metric

from support.scrape import everything

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
OF_LIBRARIES = ("python_", "process_")


def row(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = {label for sample in family.samples for label in sample.labels if label != "le"}
    shown = ", ".join(f"`{label}`" for label in sorted(labels)) or "none"
    return f"| `{name}` | {family.type} | {shown} | {family.documentation} |"


def test_every_metric_has_its_row() -> None:
    served = sorted(row(each) for each in everything() if not each.name.startswith(OF_LIBRARIES))
    table = sorted(re.findall(r"^\| `\w+` \| .*$", PAGE, re.MULTILINE))
    assert table == served, "the rows should be:\n" + "\n".join(served)
