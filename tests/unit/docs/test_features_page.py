"""docs/features.md has a test for each line."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "features.md").read_text()


def test_every_line_has_a_test() -> None:
    shown, left_out = PAGE.split("## Left out")
    rows = [line for line in shown.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    features = [row for row in rows if not row.startswith("| feature ")]
    assert features
    assert [row for row in features if "`tests/" not in row] == []
    assert "`tests/" not in left_out
