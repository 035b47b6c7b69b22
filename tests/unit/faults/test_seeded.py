"""The bugs that are put into the operator fit its source; `make crash MORE=--bugs` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.faults.seeded import BUGS, Bug, catch

QUICK = ("a create is sent without an intent", "a credential in the status")


def test_there_are_enough() -> None:
    assert len(BUGS) >= 20


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_fits_the_source(bug: Bug) -> None:
    """Who changes the words that it replaces writes them anew in `seeded.py`, and sees it caught again."""
    assert bug.missing() == []


@pytest.mark.parametrize("name", QUICK)
def test_a_bug_is_caught(name: str, tmp_path: Path) -> None:
    assert catch(BUGS[name], tmp_path)
