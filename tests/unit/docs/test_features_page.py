"""docs/features.md has a test for each line, and the tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "features.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/\S+?)`", PAGE)))


def test_every_line_has_a_test() -> None:
    shown, left_out = PAGE.split("## Left out")
    rows = [line for line in shown.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    features = [row for row in rows if not row.startswith("| feature ")]
    assert features
    assert [row for row in features if "`tests/" not in row] == []
    assert "`tests/" not in left_out


@pytest.mark.parametrize("path", TESTS)
def test_the_test_exists(path: str) -> None:
    assert (ROOT / path).is_file()
