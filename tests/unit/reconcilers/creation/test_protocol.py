"""The create protocol step by step: what follows from an intent, a memory and a search."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.models.common import Pending
from opensearch_ml_operator.reconcilers.creation.protocol import (
    CONFIRMATION,
    Absent,
    Adopt,
    CreateMemory,
    Found,
    Intend,
    Intention,
    Role,
    Search,
    Send,
    WaitUnresolved,
    describe,
    marker,
    next_intent,
    plan,
    remember_search,
    resolve,
)

QUIET = 120.0
NOW = 1000.0
OVER = NOW + QUIET
NOTHING = Found(())
UID = "6f0c1d2e-aaaa-bbbb-cccc-0123456789ab"

INTENTION = Intention(
    role=Role.CONNECTOR,
    revision=3,
    hash="cafe",
    holder="pod-1",
    now="2026-01-01T00:00:00Z",
    quiet_period=QUIET,
)
PENDING = Pending(
    role="Connector",
    revision=3,
    attempt=1,
    hash="cafe",
    holder="pod-1",
    started_at="2026-01-01T00:00:00Z",
)


def test_nothing_is_sent_before_its_intent_stands() -> None:
    assert plan(INTENTION, None, CreateMemory(), None, monotonic=NOW) == Intend(PENDING)


def test_an_intent_that_this_process_has_just_written_is_sent() -> None:
    assert plan(INTENTION, PENDING, CreateMemory(fresh=PENDING), None, monotonic=NOW) == Send()


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param(CreateMemory(), id="found-after-a-restart"),
        pytest.param(CreateMemory(unresolved_since=NOW), id="sent-and-not-answered"),
        pytest.param(CreateMemory(fresh=next_intent(INTENTION, PENDING)), id="another-intent-is-fresh"),
    ],
)
def test_an_intent_of_unknown_outcome_is_searched_for_at_once_and_not_sent(memory: CreateMemory) -> None:
    assert plan(INTENTION, PENDING, memory, None, monotonic=NOW) == Search()


@pytest.mark.parametrize(
    ("objects", "kept", "surplus"),
    [
        pytest.param([(5, "a")], "a", (), id="one"),
        pytest.param([(9, "a"), (5, "b")], "b", ("a",), id="two-the-older-stays"),
        pytest.param([(5, "b"), (5, "a"), (4, "c")], "c", ("a", "b"), id="three-in-order"),
    ],
)
@pytest.mark.parametrize("monotonic", [NOW, OVER, OVER + 1000], ids=["early", "in-time", "late"])
def test_what_is_found_is_taken_whenever_it_is_found(
    objects: list[tuple[int, str]], kept: str, surplus: tuple[str, ...], monotonic: float
) -> None:
    memory = CreateMemory(unresolved_since=NOW, confirmed=True)

    step = plan(INTENTION, PENDING, memory, Found(tuple(objects)), monotonic=monotonic)

    assert step == Adopt(kept, surplus)


@pytest.mark.parametrize(
    ("searches", "seconds"),
    [(1, 1.0), (2, 2.0), (3, 5.0), (4, 10.0), (5, 20.0), (6, 20.0), (60, 20.0)],
)
def test_the_searches_become_rarer(searches: int, seconds: float) -> None:
    memory = CreateMemory(unresolved_since=NOW, searches=searches, last_search=NOW)

    assert plan(INTENTION, PENDING, memory, NOTHING, monotonic=NOW) == WaitUnresolved(seconds, QUIET)


def test_the_wait_goes_on_where_it_was_when_the_object_is_run_earlier() -> None:
    memory = CreateMemory(unresolved_since=NOW, searches=4, last_search=NOW)

    assert plan(INTENTION, PENDING, memory, None, monotonic=NOW + 4) == WaitUnresolved(6.0, QUIET - 4)


def test_no_wait_reaches_beyond_the_quiet_period() -> None:
    memory = CreateMemory(unresolved_since=NOW, searches=9, last_search=OVER - 3)

    assert plan(INTENTION, PENDING, memory, NOTHING, monotonic=OVER - 3) == WaitUnresolved(3.0, 3.0)


def test_one_empty_search_after_the_quiet_period_is_not_enough() -> None:
    memory = remember_search(
        CreateMemory(unresolved_since=NOW, last_search=OVER - 1),
        quiet_period=QUIET,
        empty=True,
        monotonic=OVER,
    )

    assert plan(INTENTION, PENDING, memory, NOTHING, monotonic=OVER) == WaitUnresolved(CONFIRMATION, 0.0)


def test_two_empty_searches_after_the_quiet_period_prove_absence() -> None:
    memory = remember_search(
        CreateMemory(unresolved_since=NOW, last_search=OVER),
        quiet_period=QUIET,
        empty=True,
        monotonic=OVER + CONFIRMATION,
    )

    assert plan(INTENTION, PENDING, memory, NOTHING, monotonic=OVER + CONFIRMATION) == Absent()


def test_a_search_that_has_found_something_confirms_nothing() -> None:
    memory = remember_search(
        CreateMemory(unresolved_since=NOW, last_search=OVER),
        quiet_period=QUIET,
        empty=False,
        monotonic=OVER + CONFIRMATION,
    )

    assert not memory.confirmed


def test_the_quiet_period_begins_when_this_process_meets_the_intent() -> None:
    memory = remember_search(CreateMemory(), quiet_period=QUIET, empty=True, monotonic=NOW)

    assert memory == CreateMemory(unresolved_since=NOW, searches=1, last_search=NOW)


def test_after_a_restart_the_whole_search_takes_the_quiet_period_and_the_confirmation() -> None:
    now, memory, searches = NOW, CreateMemory(), []
    step = resolve(INTENTION, memory, None, monotonic=now)
    while step != Absent():
        match step:
            case Search():
                searches.append(now - NOW)
                memory = remember_search(memory, quiet_period=QUIET, empty=True, monotonic=now)
                step = resolve(INTENTION, memory, NOTHING, monotonic=now)
            case WaitUnresolved(seconds, _):
                now += seconds
                step = resolve(INTENTION, memory, None, monotonic=now)
            case other:
                pytest.fail(f"nothing was there to {other}")

    assert searches == [0, 1, 3, 8, 18, 38, 58, 78, 98, 118, 120, 122]
    assert all(later - earlier <= 20 for earlier, later in pairwise(searches))


def test_the_intent_that_follows_is_another_attempt_at_the_same_object() -> None:
    intent = next_intent(INTENTION, PENDING.model_copy(update={"attempt": 4, "hash": "old"}))

    assert (intent.attempt, intent.revision, intent.role, intent.hash) == (5, 3, "Connector", "cafe")


times = st.integers(min_value=0, max_value=1000).map(float)
memories = st.builds(
    CreateMemory,
    unresolved_since=st.none() | times,
    searches=st.integers(min_value=0, max_value=20),
    last_search=st.none() | times,
    confirmed=st.booleans(),
)


@given(memory=memories, elapsed=times, empty=st.booleans())
def test_absence_is_never_taken_for_proven_within_the_quiet_period(
    memory: CreateMemory, elapsed: float, *, empty: bool
) -> None:
    step = resolve(INTENTION, memory, NOTHING if empty else None, monotonic=1000.0 + elapsed)

    if step == Absent():
        assert empty
        assert memory.confirmed
        assert memory.unresolved_since is not None
        assert 1000.0 + elapsed >= memory.unresolved_since + QUIET


@given(memory=memories, elapsed=times)
def test_every_wait_is_bounded_and_ends_in_a_search(memory: CreateMemory, elapsed: float) -> None:
    now = 1000.0 + elapsed
    memory = remember_search(memory, quiet_period=QUIET, empty=True, monotonic=now)
    step = resolve(INTENTION, memory, NOTHING, monotonic=now)

    if isinstance(step, WaitUnresolved):
        assert 0 < step.seconds <= 20
        assert resolve(INTENTION, memory, None, monotonic=now + step.seconds) == Search()


@pytest.mark.parametrize(
    ("role", "token"),
    [
        (Role.GROUP, "k8sml6f0c1d2eaaaabbbbcccc0123456789abgr1"),
        (Role.CONNECTOR, "k8sml6f0c1d2eaaaabbbbcccc0123456789abcr1"),
        (Role.MODEL, "k8sml6f0c1d2eaaaabbbbcccc0123456789abmr1"),
    ],
)
def test_a_marker_names_resource_role_and_revision(role: Role, token: str) -> None:
    assert marker(UID, role, 1) == token


@given(
    uids=st.lists(st.uuids(), min_size=2, max_size=2, unique=True),
    revision=st.integers(min_value=0, max_value=10**6),
)
def test_markers_are_single_words_and_never_the_same(uids: list[object], revision: int) -> None:
    markers = [
        marker(str(uid), role, number)
        for uid in uids
        for role in (Role.GROUP, Role.CONNECTOR, Role.MODEL)
        for number in (revision, revision + 1)
    ]

    assert len(set(markers)) == len(markers)
    assert all(re.fullmatch("[a-z0-9]+", each) for each in markers)


@pytest.mark.parametrize(
    ("text", "described"),
    [("For search.", "For search. k8smlx"), ("", "k8smlx"), (None, "k8smlx")],
    ids=["text", "empty", "absent"],
)
def test_the_marker_stands_after_the_users_text(text: str | None, described: str) -> None:
    assert describe(text, "k8smlx") == described
