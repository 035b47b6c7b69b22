"""The page of the faults has every row, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "faults.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| F\d+ \|", line)]
NUMBER = 148


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def test_every_row_is_there_once_and_in_order() -> None:
    assert [row.split()[1] for row in ROWS] == [f"F{number:03}" for number in range(1, NUMBER + 1)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split()[1])
def test_a_row_names_tests_that_exist_or_says_why_there_is_none(row: str) -> None:
    _, _, fault, bound, shown, _ = row.split("|")
    assert fault.strip()
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", shown)
    if shown.strip().startswith("not made: "):
        return
    assert bound.strip()
    assert named
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"


def test_the_page_counts_what_it_shows() -> None:
    missing = sum("| not made: " in row for row in ROWS)
    assert f"Shown are {NUMBER - missing}; {missing} are not" in PAGE.read_text("utf-8")
