"""What follows for a registered model from what is wanted and seen: tables, and what must hold for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.constants import Reason
from opensearch_ml_operator.reconcilers.model.plan import (
    POLLS,
    SETTLE,
    Budget,
    Deploy,
    IntendDeploy,
    Intent,
    Look,
    Rest,
    Seen,
    Step,
    Undeploy,
    Update,
    Wanted,
    plan,
)

WANTED = Wanted(deploy=True, rests=False, stuck_after=600.0)
RESTS = replace(WANTED, rests=True)
HELD = replace(WANTED, held=True)
RESUMES = replace(RESTS, resumes=True)
NOT_WANTED = replace(WANTED, deploy=False)
FREE = Budget(enabled=True, exhausted=False, wait=0.0, attempts=0)
SENT = Intent(fresh=False, unresolved_for=1.0)
OLD = Intent(fresh=False, unresolved_for=SETTLE)
FRESH = Intent(fresh=True, unresolved_for=0.0)


def seen(state: str, same_for: float = 1000.0, polls: int = 3, error: str | None = None) -> Seen:
    return Seen(state, 3, 1, same_for=same_for, polls=polls, difference={}, task_error=error)


def kind(step: Step) -> str:
    """Name the step; for a deploy whether it counts, for a look its reason."""
    match step:
        case IntendDeploy(healing, _):
            return "heal" if healing else "deploy"
        case Look(fact, _, _):
            return fact.reason.value
        case other:
            return type(other).__name__


@pytest.mark.parametrize(
    ("wanted", "what", "intent", "expected"),
    [
        pytest.param(WANTED, seen("REGISTERED"), None, "deploy", id="new"),
        pytest.param(WANTED, seen("REGISTERED"), FRESH, "Deploy", id="announced"),
        pytest.param(WANTED, seen("REGISTERED"), SENT, "DeployTaskRunning", id="sent"),
        pytest.param(WANTED, seen("REGISTERED"), OLD, "heal", id="sent-without-effect"),
        pytest.param(WANTED, seen("DEPLOYING", 599), SENT, "DeployTaskRunning", id="deploying"),
        pytest.param(WANTED, seen("DEPLOYING", 600), SENT, "heal", id="stuck"),
        pytest.param(WANTED, seen("DEPLOYED"), SENT, "Rest", id="deployed"),
        pytest.param(WANTED, seen("DEPLOYED"), None, "Rest", id="at-rest"),
        pytest.param(WANTED, seen("PARTIALLY_DEPLOYED", 29), None, "PartiallyDeployed", id="partly"),
        pytest.param(WANTED, seen("PARTIALLY_DEPLOYED", 30), None, "heal", id="partly-for-long"),
        pytest.param(
            WANTED, seen("PARTIALLY_DEPLOYED", 0, error="no"), SENT, "heal", id="partly-by-its-task"
        ),
        pytest.param(WANTED, seen("DEPLOY_FAILED", 29), None, "DeployTaskFailed", id="failed"),
        pytest.param(WANTED, seen("DEPLOY_FAILED", 30), None, "heal", id="failed-for-long"),
        pytest.param(WANTED, seen("DEPLOY_FAILED", 0, error="no"), SENT, "heal", id="failed-by-its-task"),
        pytest.param(HELD, seen("DEPLOYED"), None, "Undeploy", id="held"),
        pytest.param(HELD, seen("DEPLOYING", 599), SENT, "DeployTaskRunning", id="held-while-deploying"),
        pytest.param(HELD, seen("UNDEPLOYED"), FRESH, "Rest", id="held-and-down"),
        pytest.param(RESUMES, seen("UNDEPLOYED"), None, "deploy", id="held-no-more"),
        pytest.param(RESUMES, seen("DEPLOYED"), None, "Undeploy", id="held-no-more-and-up"),
        pytest.param(RESUMES, seen("DEPLOYING", 599), None, "Updating", id="held-no-more-and-coming-up"),
        pytest.param(WANTED, seen("UNDEPLOYED", 2), None, "Undeployed", id="undeployed"),
        pytest.param(WANTED, seen("UNDEPLOYED", 3), None, "heal", id="undeployed-for-long"),
        pytest.param(WANTED, seen("UNDEPLOYED", 9), SENT, "DeployTaskRunning", id="undeployed-and-sent"),
        pytest.param(RESTS, seen("UNDEPLOYED"), None, "Rest", id="undeployed-by-its-own-rule"),
        pytest.param(RESTS, seen("DEPLOY_FAILED"), None, "heal", id="a-rule-does-not-excuse-failure"),
        pytest.param(WANTED, seen("BEWITCHED"), None, "heal", id="unknown-state"),
        pytest.param(NOT_WANTED, seen("REGISTERED"), None, "Rest", id="not-wanted-new"),
        pytest.param(NOT_WANTED, seen("UNDEPLOYED"), None, "Rest", id="not-wanted-undeployed"),
        pytest.param(NOT_WANTED, seen("DEPLOYED"), None, "Undeploy", id="not-wanted-deployed"),
        pytest.param(NOT_WANTED, seen("DEPLOYED"), FRESH, "Undeploy", id="not-wanted-any-more"),
        pytest.param(NOT_WANTED, seen("DEPLOYING", 1), None, "DeployTaskRunning", id="not-wanted-deploying"),
        pytest.param(NOT_WANTED, seen("DEPLOYING", 600), None, "Undeploy", id="not-wanted-stuck"),
    ],
)
def test_the_next_step(wanted: Wanted, what: Seen, intent: Intent | None, expected: str) -> None:
    assert kind(plan(wanted, what, intent, FREE)) == expected


@pytest.mark.parametrize(
    ("budget", "reason", "after"),
    [
        pytest.param(replace(FREE, enabled=False), Reason.UNDEPLOYED, 5.0, id="off"),
        pytest.param(replace(FREE, exhausted=True, wait=90.0), Reason.HEALING_EXHAUSTED, 90.0, id="spent"),
        pytest.param(replace(FREE, wait=7.0), Reason.UNDEPLOYED, 7.0, id="not-yet"),
    ],
)
def test_healing_keeps_to_its_budget(budget: Budget, reason: Reason, after: float) -> None:
    step = plan(WANTED, seen("UNDEPLOYED"), None, budget)

    assert isinstance(step, Look)
    assert (step.fact.reason, step.after, step.slot) == (reason, after, False)


def test_a_change_goes_before_everything_but_a_running_deployment() -> None:
    changed = replace(seen("DEPLOYED"), difference={"name": "n"})

    assert plan(NOT_WANTED, changed, FRESH, FREE) == Update({"name": "n"})
    assert isinstance(plan(WANTED, replace(changed, state="DEPLOYING", same_for=1.0), SENT, FREE), Look)


STATES = ["REGISTERED", "DEPLOYING", "DEPLOYED", "PARTIALLY_DEPLOYED", "DEPLOY_FAILED", "UNDEPLOYED", "", "X"]
SECONDS = st.floats(min_value=0, max_value=1000)
SEEN = st.builds(
    Seen,
    state=st.sampled_from(STATES),
    planned=st.integers(0, 5),
    current=st.integers(0, 5),
    same_for=SECONDS,
    polls=st.integers(0, 100),
    difference=st.sampled_from([{}, {"name": "n"}]),
    task_error=st.none() | st.just("no"),
)
INTENTS = st.none() | st.builds(Intent, fresh=st.booleans(), unresolved_for=SECONDS)
BUDGETS = st.builds(
    Budget, enabled=st.booleans(), exhausted=st.booleans(), wait=SECONDS, attempts=st.integers(0, 9)
)
WANTS = st.builds(Wanted, deploy=st.booleans(), rests=st.booleans(), stuck_after=st.floats(10, 900))


@given(wanted=WANTS, what=SEEN, intent=INTENTS, budget=BUDGETS)
def test_whatever_is_seen_no_deploy_without_leave(
    wanted: Wanted, what: Seen, intent: Intent | None, budget: Budget
) -> None:
    step = plan(wanted, what, intent, budget)

    match step:
        case Deploy():
            assert wanted.deploy
            assert intent is not None
            assert intent.fresh
        case IntendDeploy(healing=True):
            assert wanted.deploy
            assert budget.enabled
            assert not budget.exhausted
            assert budget.wait == 0
        case IntendDeploy():
            assert (what.state, intent) == ("REGISTERED", None)
        case Undeploy() | Look():
            assert step.after >= 0
            assert isinstance(step, Look) or not wanted.deploy
        case Update():
            assert what.difference
        case Rest(fact):
            assert fact.holds


@given(polls=st.integers(0, 1000))
def test_looks_at_a_running_deployment_become_rarer(polls: int) -> None:
    step = plan(WANTED, seen("DEPLOYING", 1.0, polls), SENT, FREE)

    assert isinstance(step, Look)
    assert step.after == POLLS[min(polls, len(POLLS) - 1)]
