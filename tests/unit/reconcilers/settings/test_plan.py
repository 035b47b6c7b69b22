"""The next step about the settings of one object, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.settings import AddedEndpoints, PreviousValue
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.ports import ClusterSettings
from opensearch_ml_operator.reconcilers.settings.claims import TRUSTED, Claim, Wish
from opensearch_ml_operator.reconcilers.settings.plan import Held, Plan, plan

UNSET = PreviousValue()
DEFAULT = ["d1", "d2"]


def claim(name: str, wish: Wish, *, age: int = 1, held: Held | None = None) -> Claim:
    held = held or Held()
    return Claim(
        ObjectKey("MLClusterSettings", "team", name),
        (str(age), name),
        wish,
        frozenset(held.previous),
        held.trusted,
    )


def step(wish: Wish, *rivals: Claim, held: Held | None = None, restore: bool = True, **layers: Any) -> Plan:
    held = held or Held()
    layers.setdefault("defaults", {TRUSTED: DEFAULT})
    mine = claim("mine", wish, age=5, held=held)
    return plan(mine, rivals, held, ClusterSettings(**layers), restore=restore)


def adds(*entries: str) -> Wish:
    return Wish(endpoints=entries)


def added(*entries: str, before: list[str] | None = None, default: bool = True) -> Held:
    before = DEFAULT if before is None else before
    return Held(trusted=AddedEndpoints(default=default, before=before, added=list(entries)))


@pytest.mark.parametrize(
    ("stands", "wanted", "previous", "changes"),
    [
        pytest.param({}, "1", UNSET, {"x": "1"}, id="was-not-set"),
        pytest.param({"x": "0"}, "1", PreviousValue(value="0"), {"x": "1"}, id="was-set"),
        pytest.param({"x": ["a", "b"]}, ("a",), PreviousValue(values=["a", "b"]), {"x": ("a",)}, id="list"),
        pytest.param({"x": "1"}, "1", PreviousValue(value="1"), {}, id="stands-already"),
        pytest.param({"x": "a"}, ("a",), PreviousValue(value="a"), {}, id="text-is-a-list-of-one"),
        pytest.param({"x": []}, (), PreviousValue(values=[]), {}, id="empty-list"),
        pytest.param({}, (), UNSET, {"x": ()}, id="empty-list-is-not-unset"),
    ],
)
def test_what_stands_is_on_record_before_it_is_changed(
    stands: dict[str, Any], wanted: Any, previous: PreviousValue, changes: dict[str, Any]
) -> None:
    made = step(Wish({"x": wanted}), persistent=stands)

    assert made.hold == made.keep == Held({"x": previous})
    assert made.changes == changes


def test_what_is_on_record_stays_as_it_was_first() -> None:
    held = Held({"x": UNSET})

    made = step(Wish({"x": "2"}), held=held, persistent={"x": "1"})

    assert (made.hold, made.keep, made.changes) == (held, held, {"x": "2"})


@pytest.mark.parametrize(
    ("previous", "stands", "restore", "changes"),
    [
        pytest.param(UNSET, {"x": "1"}, True, {"x": None}, id="reset"),
        pytest.param(PreviousValue(value="0"), {"x": "1"}, True, {"x": "0"}, id="text"),
        pytest.param(PreviousValue(value=""), {"x": "1"}, True, {"x": ""}, id="empty-text"),
        pytest.param(PreviousValue(values=["a"]), {"x": "1"}, True, {"x": ("a",)}, id="list"),
        pytest.param(PreviousValue(values=[]), {"x": "1"}, True, {"x": ()}, id="empty-list"),
        pytest.param(UNSET, {}, True, {}, id="stands-already"),
        pytest.param(UNSET, {"x": "1"}, False, {}, id="left"),
    ],
)
def test_letting_go(
    previous: PreviousValue, stands: dict[str, Any], changes: dict[str, Any], *, restore: bool
) -> None:
    held = Held({"x": previous})

    made = step(Wish(), held=held, persistent=stands, restore=restore)

    assert (made.hold, made.keep, made.changes) == (held, Held(), changes)


def test_a_setting_is_let_go_when_an_older_object_wants_it() -> None:
    older = claim("older", Wish({"x": "2"}))

    made = step(Wish({"x": "1", "y": "1"}), older, held=Held({"x": UNSET}), persistent={"x": "1"})

    assert made.changes == {"x": None, "y": "1"}
    assert made.keep == Held({"y": UNSET})
    assert made.in_the_way == {"x": older.key}


@pytest.mark.parametrize(
    ("transient", "names"),
    [({"x": "2"}, ("x",)), ({"x": "1"}, ()), ({"y": "2"}, ()), ({TRUSTED: ["n"]}, (TRUSTED,))],
)
def test_a_transient_value_that_differs_is_told(transient: dict[str, Any], names: tuple[str, ...]) -> None:
    made = step(Wish({"x": "1"}, ("new",)), transient=transient)

    assert made.overridden == names


@pytest.mark.parametrize(
    ("wish", "held", "stands", "changes", "keep"),
    [
        pytest.param(
            adds("n"), Held(), None, ["d1", "d2", "n"], added("n"), id="the-server's-default-is-kept"
        ),
        pytest.param(
            adds("n"), Held(), ["a"], ["a", "n"], added("n", before=["a"], default=False), id="others-kept"
        ),
        pytest.param(
            adds("n"), Held(), "a", ["a", "n"], added("n", before=["a"], default=False), id="text-stood"
        ),
        pytest.param(adds("d1"), Held(), None, "nothing", added(), id="trusted-by-default"),
        pytest.param(
            adds("a"), Held(), ["a"], "nothing", added(before=["a"], default=False), id="others-have-it"
        ),
        pytest.param(adds("n"), added("n"), ["d1", "d2", "n"], "nothing", added("n"), id="rest"),
        pytest.param(adds("n"), added("n"), ["a"], ["a", "n"], added("n"), id="drift"),
        pytest.param(adds("n"), added("n"), None, ["d1", "d2", "n"], added("n"), id="was-reset"),
        pytest.param(
            adds("m"), added("n"), ["d1", "d2", "n"], ["d1", "d2", "m"], added("m"), id="another-entry"
        ),
        pytest.param(
            adds("d1"), added("n"), ["d1", "d2", "n"], None, added(), id="nothing-left-but-the-default"
        ),
        pytest.param(adds(), added("n"), ["d1", "d2", "n"], None, Held(), id="default-again"),
        pytest.param(adds(), added("n"), ["d1", "n"], ["d1"], Held(), id="somebody-took-one-away"),
        pytest.param(adds(), added("n"), ["d1", "d2", "n", "a"], ["d1", "d2", "a"], Held(), id="added-since"),
        pytest.param(
            adds(), added("n", before=[], default=False), ["n"], [], Held(), id="an-empty-list-stood"
        ),
        pytest.param(
            adds(), added("n", before=["a"], default=False), ["a", "n"], ["a"], Held(), id="only-ours-goes"
        ),
        pytest.param(adds(), added("n"), None, "nothing", Held(), id="gone-already"),
    ],
)
def test_the_list_of_trusted_endpoints(wish: Wish, held: Held, stands: Any, changes: Any, keep: Held) -> None:
    made = step(wish, held=held, persistent={} if stands is None else {TRUSTED: stands})

    wanted = tuple(changes) if isinstance(changes, list) else changes
    assert made.changes == ({} if changes == "nothing" else {TRUSTED: wanted})
    assert made.keep == keep


def test_a_default_that_has_changed_since_is_not_pinned() -> None:
    """A new release of the server brings a new default list."""
    held = added(before=["d1"])

    assert step(adds("d1"), held=held, persistent={}).changes == {}


def test_what_is_added_is_on_record_before_and_what_is_dropped_until_after() -> None:
    made = step(adds("m"), held=added("n"), persistent={TRUSTED: ["d1", "d2", "n"]})

    assert made.hold == added("n", "m")
    assert made.keep == added("m")


def test_an_entry_stays_as_long_as_another_object_wants_it() -> None:
    other = claim("other", adds("n"), held=added("n"))

    made = step(adds(), other, held=added("n", "m"), persistent={TRUSTED: ["d1", "d2", "n", "m"]})

    assert made.changes == {TRUSTED: ("d1", "d2", "n")}


def test_an_entry_that_another_object_only_wants_goes_first() -> None:
    """Or that object would take it for a stranger's, and leave it in the end."""
    other = claim("other", adds("n"))

    made = step(adds(), other, held=added("n"), persistent={TRUSTED: ["d1", "d2", "n"]})

    assert made.changes == {TRUSTED: None}


def test_who_comes_second_knows_what_stood_before_the_first() -> None:
    first = claim("first", adds("n"), held=added("n"))

    made = step(adds("n", "m"), first, persistent={TRUSTED: ["d1", "d2", "n"]})

    assert made.keep == added("n", "m")
    assert made.changes == {TRUSTED: ("d1", "d2", "n", "m")}


def test_entries_are_left_where_nothing_is_to_be_restored() -> None:
    stands = {TRUSTED: ["d1", "d2", "n"]}

    assert step(adds(), held=added("n"), persistent=stands, restore=False).changes == {}
    made = step(adds("m"), held=added("n"), persistent=stands, restore=False)
    assert made.changes == {TRUSTED: ("d1", "d2", "n", "m")}
    assert made.keep == added("m")


def test_the_whole_list_and_entries_of_it_follow_one_another() -> None:
    whole = Held({TRUSTED: UNSET})

    undone = step(adds("n"), held=whole, persistent={TRUSTED: ["a"]})
    assert (undone.changes, undone.keep, undone.again) == ({TRUSTED: None}, Held(), True)

    undone = step(Wish({TRUSTED: ("a",)}), held=added("n"), persistent={TRUSTED: ["d1", "d2", "n"]})
    assert (undone.changes, undone.keep, undone.again) == ({TRUSTED: None}, Held(), True)
