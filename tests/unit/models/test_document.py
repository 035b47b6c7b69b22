"""A document that is kept packed is the same document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.models.document import Document
from opensearch_ml_operator.models.snapshot import Snapshot

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
BODIES = st.dictionaries(st.text(), VALUES)


@given(body=BODIES)
def test_nothing_is_changed(body: dict[str, Any]) -> None:
    document, other = Document(body), Document(dict(body))
    document.pack()
    assert document == body
    assert document == other
    assert {**document} == dict(document.items()) == body
    assert (list(document), len(document)) == (list(body), len(body))
    document.unpack()
    assert document == body
    assert json.loads(json.dumps(body)) == document


def test_another_document_is_another() -> None:
    one, other = Document({"state": "DEPLOYED"}), Document({"state": "UNDEPLOYED"})
    assert one != other
    one.pack()
    other.pack()
    assert one != other
    assert one != {"state": "UNDEPLOYED"}


def test_a_snapshot_is_packed_whole_and_stays_the_same() -> None:
    body = {"metadata": {"name": "one"}, "spec": {"deploy": True}, "status": {"state": "DEPLOYED"}}
    snapshot, other = Snapshot.parse("RemoteModel", body), Snapshot.parse("RemoteModel", body)
    snapshot.pack()
    assert isinstance(snapshot.spec, Document)
    assert isinstance(snapshot.status, Document)
    assert {snapshot.spec.packed, snapshot.status.packed} == {True}
    assert snapshot == other == snapshot.plain()
    snapshot.unpack()
    assert {snapshot.spec.packed, snapshot.status.packed} == {False}
