"""A fixed sample of the plans of `make crash`: every variant, every workload, every kind of call."""

from __future__ import annotations

from functools import cache

import pytest

from support.faults import campaign
from support.faults.bench import Result, run, run_storm
from support.faults.plan import Fault, Plan, Variant

_KUBE = "kube: patch"
SAMPLE = (
    ("create", f"{_KUBE} mlconnectors/connector (finalizers) #1", Variant.KILL_AFTER),
    ("create", f"{_KUBE} mlmodelgroups/group (finalizers) #1", Variant.REFUSED_401),
    ("create", f"{_KUBE} mlconnectors/connector/status #1", Variant.ZOMBIE),
    ("create", f"{_KUBE} mlmodelgroups/group/status #1", Variant.LATE),
    ("create", "opensearch: create-group #1", Variant.KILL_BEFORE),
    ("create", "opensearch: create-connector #1", Variant.ZOMBIE),
    ("create", "opensearch: create-connector #1", Variant.TWICE),
    ("create", "opensearch: register-model #1", Variant.KILL_AFTER),
    ("create", "opensearch: register-model #1", Variant.TRUNCATE),
    ("create", "opensearch: register-model #1", Variant.LATE),
    ("create", "opensearch: deploy-model #1", Variant.REFUSED_429_LATER),
    ("create", f"{_KUBE} remotemodels/model/status #2", Variant.KILL_BEFORE),
    ("create", f"{_KUBE} remotemodels/model/status #2", Variant.REFUSED_404),
    ("create", f"{_KUBE} opensearchconnections/main/status #1", Variant.REFUSED_403),
    ("edit", "opensearch: update-group #1", Variant.APPLIED_502),
    ("swap", "opensearch: create-connector #1", Variant.KILL_AFTER),
    ("swap", f"{_KUBE} mlconnectors/connector/status #2", Variant.RESET),
    ("swap", "opensearch: update-model #1", Variant.REFUSED_500),
    ("swap", "opensearch: delete-connector #1", Variant.APPLIED_503),
    ("redeploy", "opensearch: update-connector #2", Variant.KILL_AFTER),
    ("redeploy", "opensearch: undeploy-model #1", Variant.ZOMBIE),
    ("heal", "opensearch: deploy-model #1", Variant.APPLIED_500),
    ("recreate", "opensearch: register-model #1", Variant.RESET),
    ("delete", "opensearch: delete-model #1", Variant.KILL_AFTER),
    ("delete", "opensearch: undeploy-model #1", Variant.REFUSED_503),
    ("delete", "opensearch: delete-connector #1", Variant.REFUSED_409),
    ("delete", f"{_KUBE} remotemodels/model (finalizers) #1", Variant.APPLIED_504),
    ("settings", "opensearch: put-settings #1", Variant.KILL_BEFORE),
    ("settings-back", "opensearch: put-settings #1", Variant.REFUSED_404),
    ("doomed", f"{_KUBE} mlconnectors/connector (finalizers) #1", Variant.REFUSED_401),
    ("doomed", "opensearch: create-group #1", Variant.TWICE),
    ("doomed", "opensearch: create-connector #1", Variant.ZOMBIE),
    ("adopt", f"{_KUBE} mlconnectors/one/status #1", Variant.LATE),
    ("adopt", f"{_KUBE} remotemodels/other/status #1", Variant.KILL_AFTER),
    ("release", f"{_KUBE} mlconnectors/one (finalizers) #1", Variant.KILL_BEFORE),
    ("export", "kube: post configmaps #1", Variant.KILL_AFTER),
    ("export-move", "kube: delete configmaps/model-id #1", Variant.KILL_BEFORE),
    ("internal", "opensearch: register-model #1", Variant.ZOMBIE),
    ("internal-edit", "opensearch: update-model #1", Variant.TRUNCATE),
    ("retain", f"{_KUBE} remotemodels/model (finalizers) #1", Variant.KILL_AFTER),
    ("orphans", "opensearch: delete-model #1", Variant.KILL_AFTER),
    ("probe", "opensearch: predict #1", Variant.KILL_AFTER),
    ("trial", "opensearch: register-model #1", Variant.KILL_BEFORE),
    ("two-adopt", "opensearch: update-connector #1", Variant.KILL_AFTER),
    ("two-create", "opensearch: register-model #1", Variant.KILL_AFTER),
)
TWICE = (
    ("create", "opensearch: register-model #1", f"{_KUBE} remotemodels/model/status #2"),
    ("delete", "opensearch: delete-model #1", f"{_KUBE} remotemodels/model (finalizers) #1"),
)


@cache
def reference(workload: str) -> Result:
    """Return the run without faults, done once."""
    result = run(Plan(workload))
    assert not result.problems, result.story
    return result


@pytest.fixture(autouse=True)
def kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the runs tell kopf through the environment."""
    monkeypatch.setenv("KUBECONFIG", "")


def survive(plan: Plan) -> None:
    result = campaign.run_bounded(plan, reference(plan.workload))
    assert not result.problems, "\n".join((*result.problems, result.story))
    assert result.reached, result.labels


@pytest.mark.parametrize(("workload", "call", "variant"), SAMPLE)
def test_a_spoiled_call(workload: str, call: str, variant: Variant) -> None:
    survive(Plan(workload, (Fault(call, variant),)))


@pytest.mark.parametrize(("workload", "first", "second"), TWICE)
def test_a_crash_in_the_recovery_from_a_crash(workload: str, first: str, second: str) -> None:
    plan = Plan(workload, (Fault(first, Variant.KILL_AFTER), Fault(second, Variant.KILL_AFTER)))
    survive(plan)


def test_random_kills_while_sets_come_and_go() -> None:
    outcome = run_storm(1, sets=5, kills=8)
    assert outcome.problems == []
    assert outcome.kills == 8
