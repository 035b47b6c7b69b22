"""What to do next for a model that is registered: a pure function of what is wanted and what is seen.

The state is a document that lags behind the nodes, so a bad one is acted on only when it stays; and the
server heals the loss of a node by itself within 25 seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...constants import ConditionType, Reason
from ..conditions import Fact, false, true
from ..states import DEPLOY_FAILED, DEPLOYING, LOADED, PARTIALLY_DEPLOYED, UNDEPLOYED

SETTLE = 10.0
"""Seconds that a deploy without a clear answer is given to show in the state before it is sent again."""
PATIENCE = {PARTIALLY_DEPLOYED: 30.0, DEPLOY_FAILED: 30.0, UNDEPLOYED: 3.0}
"""Seconds for which a bad state must stay before it is acted on."""
POLLS = (0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between looks at a deployment that is under way; it takes 20 to 90 ms on an idle server.

Few deploy at a time, so whoever looks late keeps the next one waiting.
"""
BAD_POLL = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server shows, and for how long this process has seen the same state."""

    state: str
    planned: int
    current: int
    same_for: float
    polls: int
    difference: Mapping[str, Any]
    task_error: str | None = None
    """The error of our last deploy's task, when the state is a bad one and that is news."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What healing may still do."""

    enabled: bool
    exhausted: bool
    wait: float
    """Seconds until the next attempt is due."""
    attempts: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the spec says about the deployment."""

    deploy: bool
    rests: bool
    """Whether the server may undeploy it when it is idle, and deploys it again when it is called."""
    stuck_after: float
    held: bool = False
    """Whether it must not be deployed for now, because its connector is being changed."""
    resumes: bool = False
    """Whether it was held before, and is not any more."""


@dataclass(frozen=True, slots=True)
class Intent:
    """The standing deploy intent."""

    fresh: bool
    unresolved_for: float


@dataclass(frozen=True, slots=True)
class Update:
    """Change these fields in place."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IntendDeploy:
    """Write the intent to deploy; `healing` counts it against the budget."""

    healing: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class Deploy:
    """Send the deploy that the standing intent announces."""


@dataclass(frozen=True, slots=True)
class Undeploy:
    """Undeploy, for the reason that the fact tells, and look again after so many seconds."""

    after: float
    first: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class Look:
    """Show the fact and look again after so many seconds."""

    fact: Fact
    after: float
    slot: bool
    """Whether the deployment still counts as running against the gate."""


@dataclass(frozen=True, slots=True)
class Rest:
    """All is as it should be."""

    fact: Fact


Step: TypeAlias = Update | IntendDeploy | Deploy | Undeploy | Look | Rest


def plan(  # noqa: PLR0911 - one return a state: the table is the function
    wanted: Wanted, seen: Seen, intent: Intent | None, budget: Budget
) -> Step:
    """Return the next step; every path ends in Rest or in a Look."""
    if seen.difference and seen.state != DEPLOYING:
        return Update(seen.difference)
    if wanted.held or not wanted.deploy:
        return _undeployed(wanted, seen)
    if wanted.resumes:
        return _coming_up(wanted, seen)
    if intent is not None and intent.fresh:
        return Deploy()
    in_flight = intent is not None and intent.unresolved_for < SETTLE
    match seen.state:
        case "DEPLOYED":
            return Rest(true(ConditionType.DEPLOYED, f"Deployed on {seen.current} of {seen.planned} nodes."))
        case "DEPLOYING":
            return _deploying(wanted, seen, budget)
        case "REGISTERED" if in_flight:
            return _poll(seen)
        case "REGISTERED" if intent is None:
            return IntendDeploy(healing=False, fact=_running())
        case "UNDEPLOYED" if wanted.rests and intent is None:
            return Rest(
                true(ConditionType.DEPLOYED, "At rest by its own auto-deploy rule; a call deploys it.")
            )
        case _:
            return _poll(seen) if in_flight and seen.state == UNDEPLOYED else _heal(seen, budget)


def _undeployed(wanted: Wanted, seen: Seen) -> Step:
    if seen.state == DEPLOYING and seen.same_for < wanted.stuck_after:
        return _poll(seen)  # an undeploy in the middle of a deploy does not stick
    held = wanted.held and wanted.deploy
    if seen.state in LOADED:
        words = "Undeploying, as the spec says."
        return _undeploy(
            seen, _held() if held else false(ConditionType.DEPLOYED, Reason.UNDEPLOY_RUNNING, words)
        )
    return Rest(_held()) if held else Rest(true(ConditionType.DEPLOYED, "Not deployed, as the spec says."))


def _coming_up(wanted: Wanted, seen: Seen) -> Step:
    """Deploy anew what was down for its connector: what a node still holds has the connector of before."""
    if seen.state == DEPLOYING and seen.same_for < wanted.stuck_after:
        return Look(_held(), after=POLLS[min(seen.polls, len(POLLS) - 1)], slot=False)
    if seen.state in LOADED:
        return unload(seen)
    return IntendDeploy(healing=False, fact=_running())


def unload(seen: Seen) -> Undeploy:
    """Undeploy what must come up with the connector as it is now."""
    return _undeploy(seen, _held())


def _undeploy(seen: Seen, fact: Fact) -> Undeploy:
    return Undeploy(after=POLLS[min(seen.polls, len(POLLS) - 1)], first=seen.polls == 0, fact=fact)


def _held() -> Fact:
    words = "Not deployed for as long as its connector is being changed."
    return false(ConditionType.DEPLOYED, Reason.UPDATING, words)


def _deploying(wanted: Wanted, seen: Seen, budget: Budget) -> Step:
    if seen.same_for < wanted.stuck_after:
        return _poll(seen)
    words = f"DEPLOYING for {seen.same_for:.0f} s; the server has lost it. Asking again."
    return _attempt(false(ConditionType.DEPLOYED, Reason.STUCK_DEPLOYING, words), budget)


def _heal(seen: Seen, budget: Budget) -> Step:
    fact = _bad(seen)
    patience = 0.0 if seen.task_error else PATIENCE.get(seen.state, 0.0)
    if seen.same_for < patience:
        return Look(fact, after=min(BAD_POLL, patience - seen.same_for), slot=False)
    return _attempt(fact, budget)


def _attempt(fact: Fact, budget: Budget) -> Step:
    if not budget.enabled:
        words = f"{fact.message} spec.healing.enabled is false."
        return Look(
            false(ConditionType.DEPLOYED, fact.reason, words, stalled=True), after=BAD_POLL, slot=False
        )
    if budget.exhausted:
        words = (
            f"{fact.message} {budget.attempts} attempts in one spec.healing.window did not help. "
            "Find the cause; the next attempt comes when the window is over, or when you ask for it with the "
            "annotation opensearchml.io/reconcile-requested-at."
        )
        blocked = false(ConditionType.DEPLOYED, Reason.HEALING_EXHAUSTED, words, stalled=True)
        return Look(blocked, after=budget.wait, slot=False)
    if budget.wait > 0:
        return Look(fact, after=budget.wait, slot=False)
    return IntendDeploy(healing=True, fact=fact)


def _bad(seen: Seen) -> Fact:
    match seen.state:
        case "UNDEPLOYED":
            return false(
                ConditionType.DEPLOYED, Reason.UNDEPLOYED, "Somebody or something has undeployed it."
            )
        case "PARTIALLY_DEPLOYED":
            error = f" {seen.task_error}" if seen.task_error else ""
            words = f"Loaded on {seen.current} of {seen.planned} nodes.{error}"
            return false(ConditionType.DEPLOYED, Reason.PARTIALLY_DEPLOYED, words)
        case "DEPLOY_FAILED":
            words = seen.task_error or "No node holds the model (DEPLOY_FAILED)."
            return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, words)
        case "REGISTERED":
            words = "A deploy was sent and shows no effect."
            return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, words)
        case other:
            words = f"The server shows the state {other}, which this operator does not know."
            return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, words)


def _running() -> Fact:
    return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_RUNNING, "Deploying the model.")


def _poll(seen: Seen) -> Look:
    return Look(_running(), after=POLLS[min(seen.polls, len(POLLS) - 1)], slot=True)
