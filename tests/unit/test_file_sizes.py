"""What holds for every Python file of the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
FOREIGN = {".git", ".venv", "__pycache__"}


def python_files() -> Iterator[Path]:
    """Yield the project's own files: neither installed packages nor caches."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in FOREIGN and not each.endswith("_cache")]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def test_files_are_short_and_none_shadows_the_standard_librarys_operator() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in python_files()}

    assert Path(__file__).relative_to(ROOT) in lines
    assert {str(path): count for path, count in lines.items() if count > MOST_LINES} == {}
    assert Path("operator", "__init__.py") not in lines
