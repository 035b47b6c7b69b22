"""The gate: few inside, one per lane, nobody waits, whoever was refused is woken."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.gate import Bounds, Gate
from support.memory_clock import Clock


def owner(name: str) -> ObjectKey:
    return ObjectKey("RemoteModel", "ns", name)


START = 4
A, B, C, D, E = (owner(name) for name in "abcde")


class Woken:
    def __init__(self) -> None:
        self.owners: list[ObjectKey] = []

    def __call__(self, owner: ObjectKey) -> None:
        self.owners.append(owner)


def test_at_most_limit_are_inside() -> None:
    gate = Gate(Bounds(2, 2), Woken(), clock=Clock().monotonic)
    assert [gate.try_enter(each, each.name) for each in (A, B, C)] == [True, True, False]
    assert (gate.inside, gate.parked) == (2, 1)


def test_one_per_lane() -> None:
    gate = Gate(Bounds(4, 4), Woken(), clock=Clock().monotonic)
    assert gate.try_enter(A, "group")
    assert not gate.try_enter(B, "group")
    assert gate.try_enter(C, "other")


def test_entering_again_while_inside_is_true() -> None:
    gate = Gate(Bounds(1, 1), Woken(), clock=Clock().monotonic)
    assert gate.try_enter(A, "lane")
    assert gate.try_enter(A, "lane")
    assert gate.inside == 1


def test_leaving_wakes_the_first_that_fits() -> None:
    woken = Woken()
    gate = Gate(Bounds(2, 2), woken, clock=Clock().monotonic)
    gate.try_enter(A, "one")
    gate.try_enter(B, "two")
    gate.try_enter(C, "two")
    gate.try_enter(D, "three")
    gate.try_enter(E, "four")
    gate.leave(A)
    assert woken.owners == [D]  # C's lane is taken by B


def test_room_is_free_for_anyone_until_the_woken_comes() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "one")
    gate.try_enter(B, "two")
    gate.leave(A)
    assert woken.owners == [B]
    assert gate.try_enter(C, "three")
    assert not gate.try_enter(B, "two")
    gate.leave(C)
    assert woken.owners == [B, B]


def test_who_never_comes_back_does_not_block_the_others() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "a")
    for each in (B, C, D):
        gate.try_enter(each, each.name)
    gate.leave(A)
    assert woken.owners == [B]  # and never comes
    assert gate.try_enter(E, "e")
    gate.leave(E)
    assert woken.owners == [B, C]


def test_a_parked_owner_that_leaves_makes_way() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "a")
    gate.try_enter(B, "b")
    gate.try_enter(C, "c")
    gate.leave(A)
    gate.leave(B)
    assert woken.owners == [B, C]
    assert gate.parked == 1


def test_a_parked_owner_keeps_its_place() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "a")
    gate.try_enter(B, "b")
    gate.try_enter(C, "c")
    gate.try_enter(B, "b")
    gate.leave(A)
    assert woken.owners == [B]


def test_leaving_as_a_stranger_does_nothing() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "a")
    gate.try_enter(B, "b")
    gate.leave(C)
    assert woken.owners == []
    assert gate.inside == 1


def test_a_larger_limit_lets_more_in() -> None:
    woken = Woken()
    gate = Gate(Bounds(1, 1), woken, clock=Clock().monotonic)
    gate.try_enter(A, "a")
    gate.try_enter(B, "b")
    gate.resize(Bounds(2, 2))
    assert woken.owners == [B]
    assert gate.try_enter(B, "b")


def test_a_smaller_limit_throws_nobody_out() -> None:
    gate = Gate(Bounds(2, 2), Woken(), clock=Clock().monotonic)
    gate.try_enter(A, "a")
    gate.try_enter(B, "b")
    gate.resize(Bounds(1, 1))
    assert gate.inside == 2
    gate.leave(A)
    assert not gate.try_enter(C, "c")


def after(gate: Gate, good: int) -> int:
    for _ in range(good):
        gate.good()
    return gate.limit


def test_good_answers_let_one_more_in_up_to_the_most() -> None:
    woken = Woken()
    gate = Gate(Bounds(START, START + 1), woken, clock=Clock().monotonic)
    for number in range(START + 2):
        gate.try_enter(owner(f"o{number}"), f"lane {number}")
    assert after(gate, 5 * START - 1) == START
    assert woken.owners == []
    assert after(gate, 1) == START + 1
    assert woken.owners == [owner(f"o{START}")]
    assert after(gate, 1000) == START + 1


def test_trouble_halves_the_limit_once_for_what_was_sent_together() -> None:
    clock = Clock()
    gate = Gate(Bounds(START, 8), Woken(), clock=clock.monotonic)
    for _ in range(4):
        gate.trouble()
    assert gate.limit == START // 2
    clock.seconds = 5
    gate.trouble()
    assert gate.limit == 1
    clock.seconds = 10
    gate.trouble()
    assert gate.limit == 1


def test_after_trouble_a_row_of_good_answers_is_needed() -> None:
    gate = Gate(Bounds(4, 4), Woken(), clock=Clock().monotonic)
    assert after(gate, 19) == 4
    gate.trouble()
    assert after(gate, 9) == 2
    assert after(gate, 1) == 3
    assert after(gate, 15) == 4


def test_another_most_begins_anew_and_the_same_does_not() -> None:
    gate = Gate(Bounds(4, 4), Woken(), clock=Clock().monotonic)
    gate.trouble()
    gate.resize(Bounds(4, 4))
    assert gate.limit == 2
    gate.resize(Bounds(3, 3))
    assert gate.limit == 3


class GateMachine(RuleBasedStateMachine):
    """Owners who come whenever they are woken all get in, in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[ObjectKey] = []
        self.gate = Gate(Bounds(2, 2), self.woken.append, clock=Clock().monotonic)
        self.inside: dict[ObjectKey, str] = {}
        self.waiting: dict[ObjectKey, str] = {}

    @rule(who=st.sampled_from([A, B, C, D, E]), lane=st.sampled_from("xyz"))
    def enter(self, who: ObjectKey, lane: str) -> None:
        lane = self.inside.get(who) or self.waiting.get(who) or lane
        fits = len(self.inside) < 2 and lane not in self.inside.values()
        assert self.gate.try_enter(who, lane) is (who in self.inside or fits)
        if who in self.inside or fits:
            self.inside[who] = lane
            self.waiting.pop(who, None)
        else:
            self.waiting[who] = lane

    @rule(who=st.sampled_from([A, B, C, D, E]))
    def leave(self, who: ObjectKey) -> None:
        self.gate.leave(who)
        self.inside.pop(who, None)
        self.waiting.pop(who, None)

    @rule()
    def come(self) -> None:
        while self.woken:
            who = self.woken.pop(0)
            if who in self.waiting:
                self.enter(who, self.waiting[who])
        fitting = [who for who, lane in self.waiting.items() if lane not in self.inside.values()]
        assert not fitting or len(self.inside) == 2

    @invariant()
    def counts(self) -> None:
        assert self.gate.inside == len(self.inside) <= 2
        assert len(set(self.inside.values())) == len(self.inside)
        assert self.gate.parked == len(self.waiting)


TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = settings(max_examples=100, stateful_step_count=30)


def test_a_place_of_somebody_who_is_gone_without_a_word_is_free() -> None:
    living = {A, B, C}
    gate = Gate(Bounds(2, 2), Woken(), clock=Clock().monotonic, exists=living.__contains__)
    assert gate.try_enter(A, "a")
    assert gate.try_enter(B, "b")
    assert not gate.try_enter(C, "c")
    living.remove(A)
    assert gate.try_enter(C, "c")
    assert gate.inside == 2


def test_a_lane_of_somebody_who_is_gone_is_free() -> None:
    living = {A, B}
    gate = Gate(Bounds(2, 2), Woken(), clock=Clock().monotonic, exists=living.__contains__)
    assert gate.try_enter(A, "group")
    assert not gate.try_enter(B, "group")
    living.remove(A)
    assert gate.try_enter(B, "group")
