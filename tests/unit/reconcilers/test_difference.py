"""What differs, as people read it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.reconcilers import difference

SECRET = "value-of-a-secret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


def found(shown: Any, wanted: Any, **how: Any) -> list[tuple[str, str | None, str | None]]:
    """Return path, from and to of all changes."""
    changes = difference.changes(shown, wanted, mask=lambda text: text.replace(SECRET, "***"), **how)
    return [(change.path, change.from_, change.to) for change in changes]


@pytest.mark.parametrize(
    ("shown", "wanted", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="equal"),
        pytest.param({"a": "x"}, {"a": "y"}, [("a", "x", "y")], id="a-text"),
        pytest.param({"a": True}, {"a": 2.5}, [("a", "true", "2.5")], id="other-values-as-json"),
        pytest.param({}, {"a": "y"}, [("a", None, "y")], id="nothing-there"),
        pytest.param({"a": "x"}, {}, [("a", "x", None)], id="to-be-taken-away"),
        pytest.param({"b": 1, "a": 1}, {"b": 2, "a": 2}, [("a", "1", "2"), ("b", "1", "2")], id="ordered"),
        pytest.param({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [("a.b.c", "1", "2")], id="nested"),
        pytest.param({}, {"a": {"b": 1}}, [("a.b", None, "1")], id="a-map-that-is-not-there"),
        pytest.param({"a": {"b": 1}}, {"a": "x"}, [("a", '{"b": 1}', "x")], id="another-type"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, [("a", "[1, 2]", "[1, 3]")], id="a-list"),
        pytest.param({"a": ["é"]}, {}, [("a", '["é"]', None)], id="letters-stay-letters"),
        pytest.param(
            {"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}]}, [("a[1].b", "2", None)], id="a-list-of-maps"
        ),
        pytest.param({}, {"a": [{"b": 1}]}, [("a[0].b", None, "1")], id="a-list-of-maps-that-is-not-there"),
        pytest.param({"a": "x"}, {"a": [{"b": 1}]}, [("a[0]", "x", '{"b": 1}')], id="no-list-before"),
    ],
)
def test_each_field_is_named(shown: Any, wanted: Any, expected: list[Any]) -> None:
    assert found(shown, wanted) == expected


@pytest.mark.parametrize(
    "key",
    [
        "api_key",
        "apiKey",
        "Authorization",
        "password",
        "x-api-key",
        "client_secret",
        "access_token",
        "Cookie",
    ],
)
def test_what_sounds_like_a_secret_is_masked(key: str) -> None:
    assert found({"p": {key: "one"}}, {"p": {key: "two"}}) == [(f"p.{key}", "***", "***")]
    assert found({"p": [{key: "one"}]}, {}) == [(f"p[0].{key}", "***", None)]


def test_credentials_are_masked_whatever_their_names() -> None:
    shown = {"connector": {"credential": {"roleArn": "arn"}}}
    assert found(shown, {}) == [("connector.credential.roleArn", "***", None)]


@pytest.mark.parametrize("key", ["max_tokens", "model", "tokenizer", "keyword"])
def test_what_does_not_is_not(key: str) -> None:
    assert found({key: "one"}, {key: "two"}) == [(key, "one", "two")]


def test_known_secrets_are_masked_wherever_they_are() -> None:
    assert found({"url": f"https://x/{SECRET}"}, {}) == [("url", "https://x/***", None)]
    cut = found({"text": "x" * 190 + SECRET}, {})
    assert "value" not in str(cut)


def test_long_values_are_cut() -> None:
    ((_, shown, _),) = found({"text": "x" * 1000}, {})
    assert shown is not None
    assert len(shown) == 200
    assert shown.endswith("…")


def test_what_the_server_merges_is_no_difference() -> None:
    shown, wanted = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": 5}}
    assert found(shown, wanted, merged=True) == [("a.x", "1", "5")]


@given(DOCUMENTS, DOCUMENTS)
def test_any_two_documents_can_be_compared(shown: Any, wanted: Any) -> None:
    assert found(shown, shown) == []
    assert len(found(shown, wanted)) == len(found(wanted, shown))
    assert [(path, after, before) for path, before, after in found(wanted, shown)] == found(shown, wanted)


def test_a_message_names_the_first_few() -> None:
    changes = difference.changes({}, dict.fromkeys("abcdefg", 1), mask=str)
    assert difference.named(changes) == "a, b, c, d, e and 2 more"
    assert difference.named(changes[:2]) == "a, b"
