"""The map in CONTRIBUTING.md leads to files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "operator" / "opensearch_ml_operator"
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
MAP = PAGE[PAGE.index("## Which file for which change") : PAGE.index("## How the code is written")]
FOLDERS = (ROOT, PACKAGE, PACKAGE / "models", ROOT / "deploy" / "chart")


def test_every_path_of_the_map_exists() -> None:
    paths = re.findall(r"`([\w/.-]+(?:\.\w+|/))`", MAP)
    assert len(paths) > 30
    real = [path for path in paths if "KIND" not in path]
    assert [path for path in real if not any((folder / path).exists() for folder in FOLDERS)] == []
