"""docs/operations.md has a runbook for every alert, in their order, and leads to places that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "operations.md").read_text()
ALERTS = DOCS.parent / "deploy" / "chart" / "files" / "alerts.yaml"


def anchors(page: str) -> set[str]:
    headings: list[str] = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_alert_has_its_runbook() -> None:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    assert re.findall(r"^### (OpenSearchML\w+)$", PAGE, re.MULTILINE) == alerts
    assert {alert.lower() for alert in alerts} <= anchors(PAGE)


@pytest.mark.parametrize(("page", "anchor"), re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", PAGE))
def test_its_links_lead_somewhere(page: str, anchor: str) -> None:
    assert anchor in anchors((DOCS / page).read_text())
