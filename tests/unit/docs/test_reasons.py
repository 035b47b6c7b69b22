"""docs/reasons.md explains every reason, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opensearch_ml_operator.constants import ConditionType, Reason

PAGE = (Path(__file__).parents[3] / "docs" / "reasons.md").read_text()
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def test_the_headings_are_the_reasons_in_the_order_of_the_code() -> None:
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == [reason.value for reason in Reason]


@pytest.mark.parametrize("reason", list(Reason))
def test_each_section_has_cause_check_and_remedy(reason: Reason) -> None:
    section = SECTIONS[reason]
    places = [section.find(f"**{part}.** ") for part in ("Cause", "Do")]
    check, command = section.find("**Check.**"), section.find("\n```\n")
    assert -1 < places[0] < check < command < places[1]


def test_the_conditions_that_are_named_exist() -> None:
    named = {
        name for line in re.findall(r"^On (.*)", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    assert named
    assert named <= {condition.value for condition in ConditionType}
