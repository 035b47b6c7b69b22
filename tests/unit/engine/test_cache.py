from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.engine.cache import Cache, Change
from unit.engine.builders import key, snapshot

LATER = "2026-01-02T00:00:00Z"


def test_an_unknown_object_is_kept() -> None:
    cache = Cache()
    first = snapshot(version=1)
    assert cache.offer(first) == Change(None, first)
    assert cache.get(first.key) is first


def test_a_newer_version_replaces_an_older_one() -> None:
    cache = Cache()
    old, new = snapshot(version=9), snapshot(version=10)
    cache.offer(old)
    change = cache.offer(new)
    assert change == Change(old, new)
    assert change.same_object
    assert cache.get(new.key) is new


@pytest.mark.parametrize("version", [9, 10])
def test_an_older_or_equal_version_is_refused(version: int) -> None:
    cache = Cache()
    newest = snapshot(version=10)
    cache.offer(newest)
    assert cache.offer(snapshot(version=version)) is None
    assert cache.get(newest.key) is newest


@given(st.permutations(range(1, 9)))
def test_the_newest_version_stands_whatever_the_order_of_arrival(versions: list[int]) -> None:
    cache = Cache()
    for version in versions:
        cache.offer(snapshot(version=version))
    newest = cache.get(key())
    assert newest is not None
    assert newest.resource_version == "8"


def test_a_new_uid_wins_even_with_a_lower_version() -> None:
    cache = Cache()
    cache.offer(snapshot(version=100, uid="first"))
    change = cache.offer(snapshot(version=5, uid="second", created=LATER))
    assert change is not None
    assert not change.same_object


def test_a_late_event_of_the_predecessor_is_refused() -> None:
    cache = Cache()
    cache.offer(snapshot(version=5, uid="second", created=LATER))
    assert cache.offer(snapshot(version=100, uid="first")) is None


def test_two_objects_of_one_second_are_told_apart_by_version() -> None:
    cache = Cache()
    cache.offer(snapshot(version=5, uid="second"))
    assert cache.offer(snapshot(version=4, uid="first")) is None
    assert cache.offer(snapshot(version=6, uid="third")) is not None


def test_of_versions_that_are_no_numbers_another_one_is_newer_and_the_same_is_not() -> None:
    cache = Cache()
    cache.offer(snapshot(version="abc"))
    assert cache.offer(snapshot(version="abc")) is None
    assert cache.offer(snapshot(version="abb")) is not None
    assert cache.offer(snapshot(version=7)) is not None


def test_an_object_is_removed_by_its_uid_only() -> None:
    cache = Cache()
    current = snapshot(uid="second")
    cache.offer(current)
    assert cache.remove(current.key, "first") is None
    assert cache.get(current.key) is current
    assert cache.remove(current.key, "second") is current
    assert cache.get(current.key) is None
    assert cache.remove(current.key, "second") is None


def test_keys_and_snapshots_list_what_is_known() -> None:
    cache = Cache()
    model, other, connector = snapshot("a"), snapshot("b"), snapshot("a", kind="MLConnector")
    for each in (model, other, connector):
        cache.offer(each)
    assert cache.keys("RemoteModel") == (model.key, other.key)
    assert cache.keys("MLModelGroup") == ()
    assert [each.key for each in cache.snapshots()] == [model.key, other.key, connector.key]


def test_ghosts_are_what_a_listing_does_not_contain() -> None:
    cache = Cache()
    lives, died, reborn = snapshot("lives"), snapshot("died"), snapshot("reborn", uid="first")
    for each in (lives, died, reborn):
        cache.offer(each)
    known = cache.identities("RemoteModel")
    assert cache.ghosts(known, {(lives.key, lives.uid), (reborn.key, "second")}) == (died, reborn)
    assert cache.keys("RemoteModel") == (lives.key,)


def test_what_is_created_during_the_listing_is_no_ghost() -> None:
    cache = Cache()
    cache.offer(snapshot("reborn", uid="first"))
    known = cache.identities("RemoteModel")
    cache.offer(snapshot("fresh"))
    cache.offer(snapshot("reborn", 2, uid="second", created=LATER))
    assert cache.ghosts(known, set()) == ()
    assert len(cache.keys("RemoteModel")) == 2


def test_labels_are_known_until_their_namespace_is_gone() -> None:
    cache = Cache()
    assert cache.labels("team") is None
    assert not cache.label("team", None)
    assert cache.label("team", {"a": "b"})
    assert not cache.label("team", {"a": "b"})
    assert cache.labels("team") == {"a": "b"}
    assert cache.label("team", None)
    assert cache.labels("team") is None
