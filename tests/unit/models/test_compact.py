"""What is kept of a document is all of it, in fewer strings."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.models.compact import compact
from opensearch_ml_operator.models.snapshot import Snapshot

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(document=DOCUMENTS)
def test_nothing_is_changed(document: Any) -> None:
    assert compact(document) == document


def test_documents_share_names_and_words() -> None:
    text = '{"conditions": [{"type": "Ready", "reason": "Succeeded"}]}'
    one, other = (compact(json.loads(text)) for _ in range(2))
    for a, b in zip(strings(one), strings(other), strict=True):
        assert a is b
    assert one["conditions"] is not other["conditions"]


def test_what_is_kept_of_objects_is_compact() -> None:
    text = '{"metadata": {"name": "one"}, "spec": {"deploy": true}, "status": {"state": "DEPLOYED"}}'
    one, other = (Snapshot.parse("RemoteModel", json.loads(text)) for _ in range(2))
    for a, b in zip(strings([one.spec, one.status]), strings([other.spec, other.status]), strict=True):
        assert a is b


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [text for name, value in document.items() for text in (name, *strings(value))]
    if isinstance(document, list):
        return [text for item in document for text in strings(item)]
    return [document] if isinstance(document, str) else []
