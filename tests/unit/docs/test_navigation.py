"""Every page is in the navigation of the site and in the table of contents, in the same order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
CONTENTS = (DOCS / "README.md").read_text()


def test_every_page_is_in_the_navigation_once() -> None:
    home, *sections = SITE["nav"]
    pages = [page for section in sections for found in section.values() for page in found]
    assert home == "README.md"
    assert sorted([home, *pages]) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_the_table_of_contents_has_the_same_sections() -> None:
    found = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", CONTENTS, re.DOTALL | re.MULTILINE)
    listed = [{title: re.findall(r"^\* \[[^\]]+\]\((\S+?)\)", text, re.MULTILINE)} for title, text in found]
    assert listed == SITE["nav"][1:]


def test_the_site_needs_no_plugin() -> None:
    assert SITE["plugins"] == []
