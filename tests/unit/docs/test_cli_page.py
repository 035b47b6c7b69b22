"""docs/cli.md explains every command and every exit code."""

from __future__ import annotations

import re
from pathlib import Path

from opensearch_ml_operator.cli.__main__ import COMMANDS
from opensearch_ml_operator.cli.exits import Exit

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def test_every_command_has_its_section() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sorted(name for title in titles for name in title.split(", ")) == sorted(COMMANDS)


def test_every_exit_code_is_explained() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)] == list(Exit)


def test_the_commands_that_it_shows_exist() -> None:
    shown = set(re.findall(r"^(?:\$ )?opensearch-ml (\w+)", PAGE, re.MULTILINE))
    assert len(shown) > 5
    assert shown <= COMMANDS.keys()
