from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.engine.cache import Cache
from opensearch_ml_operator.engine.catalog import KnownObjects
from opensearch_ml_operator.engine.links import Links, references_of
from opensearch_ml_operator.models.snapshot import ObjectKey
from unit.engine.builders import key, snapshot

MODEL_A, MODEL_B = key("a"), key("b")
CONNECTOR, OTHER = key("c", "MLConnector"), key("d", "MLConnector")
CONNECTION = key("os", "OpenSearchConnection")


def test_links_are_known_from_both_ends() -> None:
    links = Links()
    links.replace(MODEL_A, (CONNECTOR, CONNECTION))
    links.replace(MODEL_B, (CONNECTOR,))
    assert links.references(MODEL_A) == (CONNECTOR, CONNECTION)
    assert links.dependents(CONNECTOR) == (MODEL_A, MODEL_B)
    assert links.dependents(CONNECTION) == (MODEL_A,)


def test_replacing_drops_the_old_references() -> None:
    links = Links()
    links.replace(MODEL_A, (CONNECTOR,))
    links.replace(MODEL_A, (OTHER,))
    assert links.dependents(CONNECTOR) == ()
    assert links.dependents(OTHER) == (MODEL_A,)
    links.replace(MODEL_A, ())
    assert links.dependents(OTHER) == ()
    assert links.references(MODEL_A) == ()


def test_the_version_tells_of_every_change_and_of_nothing_else() -> None:
    links, cache = Links(), Cache()
    known = KnownObjects(cache, links)
    seen = [known.version]
    for change in (
        lambda: links.replace(MODEL_A, (CONNECTOR,)),
        lambda: links.replace(MODEL_A, (CONNECTOR, CONNECTION)),
        lambda: links.replace(MODEL_A, ()),
        lambda: links.replace(MODEL_B, (CONNECTOR,)),
        lambda: links.remove(MODEL_B),
        lambda: cache.label("team", {"a": "b"}),
        lambda: cache.label("team", None),
    ):
        change()
        assert known.version not in seen
        seen.append(known.version)
        change()
        assert known.version == seen[-1]


def test_removing_an_object_leaves_those_that_refer_to_it() -> None:
    links = Links()
    links.replace(MODEL_A, (CONNECTOR,))
    links.replace(CONNECTOR, (CONNECTION,))
    links.remove(CONNECTOR)
    assert links.dependents(CONNECTION) == ()
    assert links.dependents(CONNECTOR) == (MODEL_A,)
    links.remove(CONNECTOR)
    links.remove(key("unknown"))
    assert links.references(MODEL_A) == (CONNECTOR,)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.lists(st.sampled_from("wxyz"), unique=True)), max_size=30)
)
def test_both_ends_agree_after_any_sequence(steps: list[tuple[str, list[str]]]) -> None:
    links = Links()
    expected: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
    for name, names in steps:
        references = tuple(key(each, "MLConnector") for each in names)
        links.replace(key(name), references)
        expected[key(name)] = references
    for each in "wxyz":
        target = key(each, "MLConnector")
        assert set(links.dependents(target)) == {k for k, refs in expected.items() if target in refs}


def test_a_model_refers_to_its_connector_group_and_connection() -> None:
    spec = {
        "connectorRef": {"name": "c"},
        "modelGroupRef": {"name": "g"},
        "connectionRef": {"kind": "OpenSearchConnection", "name": "os"},
    }
    assert references_of(snapshot(spec=spec)) == (
        ObjectKey("MLConnector", "team", "c"),
        ObjectKey("MLModelGroup", "team", "g"),
        ObjectKey("OpenSearchConnection", "team", "os"),
    )


@pytest.mark.parametrize("kind", ["MLConnector", "MLModelGroup", "MLClusterSettings"])
def test_connectors_groups_and_settings_refer_to_their_connection_only(kind: str) -> None:
    spec = {"connectionRef": {"name": "os"}, "connectorRef": {"name": "c"}, "modelGroupRef": {"name": "g"}}
    assert references_of(snapshot(kind=kind, spec=spec)) == (ObjectKey("OpenSearchConnection", "team", "os"),)


def test_a_connection_refers_to_nothing() -> None:
    spec = {"connectionRef": {"name": "os"}}
    assert references_of(snapshot(kind="OpenSearchConnection", spec=spec)) == ()


def test_an_unknown_kind_of_connection_is_no_reference() -> None:
    assert references_of(snapshot(spec={"connectionRef": {"kind": "Secret", "name": "os"}})) == ()


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "c", "OpenSearchConnection"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "kind"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["connectorRef", "modelGroupRef", "connectionRef"]), hostile))
def test_no_spec_is_so_strange_that_reading_its_references_fails(spec: dict[str, Any]) -> None:
    for reference in references_of(snapshot(spec=spec)):
        assert isinstance(reference.name, str)
        assert reference.name


def test_the_catalog_shows_cache_and_links() -> None:
    cache, links = Cache(), Links()
    catalog = KnownObjects(cache, links)
    model = snapshot("a")
    cache.offer(model)
    links.replace(model.key, (CONNECTOR,))
    assert catalog.get(model.key) is model
    assert catalog.get(CONNECTOR) is None
    assert catalog.dependents(CONNECTOR) == (model.key,)
