"""docs/operations.md has a runbook for every alert, in their order."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "operations.md").read_text()
ALERTS = DOCS.parent / "deploy" / "chart" / "files" / "alerts.yaml"


def test_every_alert_has_its_runbook() -> None:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    assert re.findall(r"^### (OpenSearchML\w+)$", PAGE, re.MULTILINE) == alerts
