from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opensearch_ml_operator.models.kinds import by_kind
from opensearch_ml_operator.models.rules import seconds
from support.kind_documents import ACCEPTED, REFUSED, RULES, RuleCase, spec_of


@pytest.mark.parametrize("case", RULES, ids=lambda case: f"{case.kind}: {case.message}")
def test_a_rule_accepts_what_keeps_it(case: RuleCase) -> None:
    for changes in case.keeps:
        by_kind(case.kind).spec.model_validate(spec_of(case.kind, changes))


@pytest.mark.parametrize("case", RULES, ids=lambda case: f"{case.kind}: {case.message}")
def test_a_rule_names_itself_when_it_refuses(case: RuleCase) -> None:
    for changes in case.breaks:
        with pytest.raises(ValidationError) as refusal:
            by_kind(case.kind).spec.model_validate(spec_of(case.kind, changes))
        assert [error["msg"] for error in refusal.value.errors()] == [f"Value error, {case.message}"]


@pytest.mark.parametrize(("kind", "changes"), ACCEPTED)
def test_good_documents_are_accepted(kind: str, changes: Mapping[str, Any]) -> None:
    spec = by_kind(kind).spec.model_validate(spec_of(kind, changes))

    assert by_kind(kind).spec.model_validate(spec.to_body()) == spec


@pytest.mark.parametrize(("kind", "changes"), REFUSED)
def test_bad_documents_are_refused(kind: str, changes: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        by_kind(kind).spec.model_validate(spec_of(kind, changes))


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("0s", 0), ("250ms", 0.25), ("1.5s", 1.5), ("10m", 600), ("1h30m", 5400), ("1h0.5s", 3600.5)],
)
def test_durations_are_seconds(duration: str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "-1s", "1d", "1h ", "1.s", ".5s", "x1s", "1sx2s"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@given(st.integers(0, 99_999), st.integers(0, 999))
def test_parts_of_a_second_add_up_exactly(whole: int, thousandths: int) -> None:
    assert seconds(f"{whole}.{thousandths:03}s") == seconds(f"{whole}s{thousandths}ms")
