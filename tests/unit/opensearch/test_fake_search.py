"""With an index of words the fake finds the same, in the same order, as when it looks at every document."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.fake_mlcommons.documents import Documents
from support.fake_mlcommons.searching import search
from support.fake_mlcommons.word_index import WordIndex

WORDS = ("k8sr", "k8sr1", "K8sr2", "bench-1", "")
FIELDS = ("name", "description", "connector_id", "model_group_id")
ids = st.sampled_from(("x", "y", "Z-z"))
texts = st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join)
docs = st.dictionaries(st.sampled_from(FIELDS), texts)
writes = st.lists(st.tuples(st.sampled_from(("put", "merge", "delete")), ids, docs), max_size=8)
fields = st.sampled_from((*FIELDS, "name.keyword", "description.keyword", "other"))
leaves = st.one_of(
    st.builds(
        lambda kind, field, text: {kind: {field: text}},
        st.sampled_from(("term", "match", "match_phrase", "prefix")),
        fields,
        texts,
    ),
    st.builds(lambda found: {"ids": {"values": found}}, st.lists(ids)),
    st.just({"match_all": {}}),
    st.builds(lambda field: {"exists": {"field": field}}, fields),
)
queries = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda occurs, found: {"bool": {occurs: found}},
        st.sampled_from(("should", "must", "must_not")),
        st.lists(inner, max_size=3),
    ),
    max_leaves=4,
)


@example([("put", "x", {"description": "k8sr10"})], {"prefix": {"description": "k8sr"}})
@settings(max_examples=500)
@given(writes, queries)
def test_the_index_leaves_out_nothing_that_matches(
    done: list[tuple[str, str, dict[str, str]]], query: dict[str, Any]
) -> None:
    found = []
    for index in (None, WordIndex()):
        documents = Documents("index", clock=lambda: 0.0, late=0.0)
        documents.words = index
        for write, id_, doc in done:
            if write == "put":
                documents.put(id_, doc)
            elif write == "delete":
                documents.delete(id_)
            elif id_ in documents.docs:
                documents.merge(id_, doc)
        found.append(search(documents, {"query": query}, lambda doc: doc, failed="failed"))
    assert found[0] == found[1]
