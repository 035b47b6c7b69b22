"""From facts to conditions: the verdict, its order, its times, and what kstatus reads out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.constants import ConditionType, Reason
from opensearch_ml_operator.models.common import Condition
from opensearch_ml_operator.reconcilers.conditions import MESSAGE_LIMIT, Fact, build, false, find, true

EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
REFERENCES = true(ConditionType.REFERENCES_RESOLVED)
SYNCED = true(ConditionType.SYNCED)
CREATING = false(ConditionType.SYNCED, Reason.CREATING, "Creating.")
REFUSED = false(ConditionType.SYNCED, Reason.REJECTED, "No.", stalled=True)
FAILED = false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, "Failed.")


def made(*facts: Fact, previous: list[Condition] | None = None, generation: int = 2) -> list[Condition]:
    return build(previous or [], facts, generation=generation, now=NOW)


def verdicts(conditions: list[Condition]) -> dict[str, tuple[str, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in conditions}


def before(type_: str, status: str = "True", reason: str = "Succeeded", message: str = "") -> Condition:
    return Condition.model_validate(
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": 1,
            "lastTransitionTime": EARLIER,
        }
    )


def test_ready_when_every_fact_holds_and_nothing_else_is_shown() -> None:
    assert verdicts(made(REFERENCES, SYNCED)) == {
        "Ready": ("True", "Succeeded"),
        "ReferencesResolved": ("True", "Succeeded"),
        "Synced": ("True", "Succeeded"),
    }


@pytest.mark.parametrize(
    ("facts", "reason", "message"),
    [
        pytest.param((REFERENCES, CREATING), "Creating", "Creating.", id="one"),
        pytest.param((REFERENCES, CREATING, FAILED), "Creating", "Creating.", id="the-first-of-two"),
        pytest.param((FAILED, CREATING), "DeployTaskFailed", "Failed.", id="in-the-order-given"),
        pytest.param(
            (Fact(ConditionType.SYNCED, holds=None, reason=Reason.UPDATING, message="?"), FAILED),
            "Updating",
            "?",
            id="what-is-not-known-is-not-ready",
        ),
    ],
)
def test_ready_repeats_the_first_fact_that_does_not_hold(
    facts: tuple[Fact, ...], reason: str, message: str
) -> None:
    ready = find(made(*facts), ConditionType.READY)

    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", reason, message)


@pytest.mark.parametrize(
    ("facts", "shown", "reason"),
    [
        pytest.param((CREATING,), "Reconciling", "Progressing", id="progress"),
        pytest.param((FAILED,), "Reconciling", "ProgressingWithRetry", id="failing"),
        pytest.param((REFUSED,), "Stalled", "Rejected", id="a-person-must-act"),
        pytest.param((REFUSED, CREATING), "Stalled", "Rejected", id="stalled-comes-first"),
        pytest.param((CREATING, REFUSED), "Reconciling", "Progressing", id="progress-comes-first"),
    ],
)
def test_kstatus_finds_exactly_one_of_reconciling_and_stalled(
    facts: tuple[Fact, ...], shown: str, reason: str
) -> None:
    conditions = verdicts(made(*facts, previous=[before("Stalled"), before("Reconciling")]))

    assert conditions.keys() & {"Reconciling", "Stalled"} == {shown}
    assert conditions[shown] == ("True", reason)


def test_reconciling_and_stalled_go_when_all_is_well() -> None:
    previous = [before("Stalled"), before("Reconciling"), before("Ready", "False", "Rejected")]

    assert verdicts(made(SYNCED, previous=previous)).keys() == {"Ready", "Synced"}


@pytest.mark.parametrize("facts", [(SYNCED,), (CREATING,), (FAILED,), (REFUSED,)], ids=lambda f: f[0].reason)
def test_the_same_facts_later_change_nothing(facts: tuple[Fact, ...]) -> None:
    """Otherwise every look at an object that is not ready would cost a write."""
    first = build([], facts, generation=1, now=EARLIER)

    assert build(first, facts, generation=1, now=NOW) == first


@pytest.mark.parametrize(
    ("was", "fact", "time"),
    [
        pytest.param(("False", "Creating"), SYNCED, NOW, id="became-true"),
        pytest.param(("True", "Succeeded"), CREATING, NOW, id="became-false"),
        pytest.param(("True", "Succeeded"), SYNCED, EARLIER, id="stayed-true"),
        pytest.param(("False", "Creating"), REFUSED, EARLIER, id="another-reason-is-no-transition"),
        pytest.param(
            ("False", "Creating"),
            Fact(ConditionType.SYNCED, holds=None, reason=Reason.UPDATING),
            NOW,
            id="became-unknown",
        ),
    ],
)
def test_the_transition_time_moves_with_the_status_alone(was: tuple[str, str], fact: Fact, time: str) -> None:
    synced = find(made(fact, previous=[before("Synced", *was)]), ConditionType.SYNCED)

    assert synced is not None
    assert synced.last_transition_time == time


def test_a_condition_without_a_fact_stays_as_it_was_last_seen() -> None:
    deployed = before("Deployed", "False", "Undeployed", "words")

    conditions = made(CREATING, previous=[deployed])

    assert find(conditions, ConditionType.DEPLOYED) == deployed
    assert {c.observed_generation for c in conditions if c.type != "Deployed"} == {2}


def test_a_condition_of_another_program_or_release_is_dropped() -> None:
    assert find(made(SYNCED, previous=[before("Sparkling")]), ConditionType.READY) is not None
    assert "Sparkling" not in verdicts(made(SYNCED, previous=[before("Sparkling")]))


@given(st.permutations([REFERENCES, CREATING, FAILED]))
def test_conditions_are_always_stored_in_the_same_order(facts: list[Fact]) -> None:
    types = [condition.type for condition in made(*facts)]

    assert types == ["Ready", "ReferencesResolved", "Synced", "Deployed", "Reconciling"]


def test_a_long_message_is_cut() -> None:
    conditions = made(false(ConditionType.SYNCED, Reason.REJECTED, "x" * 5000))

    assert {len(c.message) for c in conditions if c.status == "False"} == {MESSAGE_LIMIT}


FACTS = st.builds(
    Fact,
    type=st.sampled_from([t for t in ConditionType if t not in {"Ready", "Reconciling", "Stalled"}]),
    holds=st.sampled_from([True, False, None]),
    reason=st.sampled_from(Reason),
    message=st.text(max_size=5),
    stalled=st.booleans(),
)


@given(st.lists(FACTS, max_size=6, unique_by=lambda fact: fact.type))
def test_the_verdict_never_contradicts_itself(facts: list[Fact]) -> None:
    conditions = verdicts(made(*facts))

    well = all(fact.holds is True for fact in facts)
    assert (conditions["Ready"][0] == "True") is well
    assert len(conditions.keys() & {"Reconciling", "Stalled"}) == (0 if well else 1)


def test_a_condition_that_says_nothing_any_more_goes() -> None:
    previous = [before("Healthy", "False", "ProbeFailed"), before("Synced")]
    kept = build(previous, (REFERENCES,), generation=2, now=NOW, without=(ConditionType.HEALTHY,))

    assert set(verdicts(kept)) == {"Ready", "ReferencesResolved", "Synced"}
