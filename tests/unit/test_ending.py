"""What is told when the operator cannot go on: each cause and its place, no text that may hold a secret."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import OperatorError
from opensearch_ml_operator.startup import causes, told

SECRET = "Canary-in-a-text"


def test_the_causes_of_groups_in_groups() -> None:
    first, second, third = ValueError("1"), OperatorError("2"), KeyError("3")
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [first, second]), third])
    assert list(causes(group)) == [first, second, third]
    assert list(causes(first)) == [first]


def test_an_error_of_our_own_is_told_in_its_words() -> None:
    assert told(OperatorError("the Lease was lost")) == "the Lease was lost"


def test_a_foreign_error_is_told_by_its_place() -> None:
    with pytest.raises(ValueError, match=SECRET) as raised:
        int(SECRET)
    assert told(raised.value).startswith("ValueError at test_ending.py:")
    assert SECRET not in told(raised.value)


def test_an_error_that_was_never_raised() -> None:
    assert told(KeyError(SECRET)) == "KeyError at no known place"
