"""Plans as files, and which plans there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.faults import campaign
from support.faults.bench import Result
from support.faults.naming import kube_name, opensearch_name
from support.faults.plan import KILLS, Fault, Plan, Variant
from support.faults.wire import Request
from support.faults.workloads import WORKLOADS

FINALIZERS = "kube: patch mlconnectors/connector (finalizers) #1"
CREATE = "opensearch: create-connector #1"
OURS = "/apis/opensearchml.io/v1alpha1/namespaces/team"


def test_a_plan_is_the_same_after_it_was_saved(tmp_path: Path) -> None:
    plan = Plan("create", (Fault(CREATE, Variant.ZOMBIE), Fault(FINALIZERS, Variant.KILL_AFTER, 1)), seed=7)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan


def test_every_call_is_spoiled_in_every_way() -> None:
    plans = list(campaign.single_plans(WORKLOADS["create"], [CREATE], 1))
    assert [plan.faults[0].variant for plan in plans] == list(Variant)


def test_with_two_operators_either_is_killed() -> None:
    plans = list(campaign.single_plans(WORKLOADS["two-create"], [CREATE], 1))
    victims = {(fault.variant, fault.victim) for plan in plans for fault in plan.faults}
    assert {(variant, victim) for variant in KILLS for victim in (0, 1)} <= victims


def test_a_refusal_that_kopf_hears_of_otherwise_is_no_plan() -> None:
    plans = list(campaign.single_plans(WORKLOADS["create"], [FINALIZERS], 1))
    missing = set(Variant) - {plan.faults[0].variant for plan in plans}
    assert missing == {Variant.REFUSED_404, Variant.REFUSED_409}


def test_a_recovery_is_crashed_at_each_of_its_calls() -> None:
    first = Fault(CREATE, Variant.KILL_AFTER)
    survived = Result(Plan("create", (first,)), (), reached=True, labels=(FINALIZERS, CREATE), converged=1.0)
    seconds = [plan.faults for plan in campaign.second_plans(survived)]
    assert len(seconds) == 4
    assert all(faults[0] == first for faults in seconds)
    assert {faults[1].call for faults in seconds} == {FINALIZERS, CREATE}


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("GET", f"{OURS}/remotemodels/model", b"", ""),
        ("PATCH", f"{OURS}/remotemodels/model/status", b"{}", "patch remotemodels/model/status"),
        ("PATCH", f"{OURS}/remotemodels/model", b'{"finalizers"', "patch remotemodels/model (finalizers)"),
        ("POST", "/api/v1/namespaces/team/events", b"{}", ""),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/team/leases/one", b"{}", ""),
    ],
)
def test_names_of_writes_to_kubernetes(method: str, path: str, body: bytes, name: str) -> None:
    assert kube_name(Request(method, path, (), body)) == name


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/_plugins/_ml/models/abc", ""),
        ("POST", "/_plugins/_ml/models/_search", ""),
        ("POST", "/_plugins/_ml/models/abc/_deploy", "deploy-model"),
        ("PUT", "/_plugins/_ml/models/abc", "update-model"),
        ("POST", "/_plugins/_ml/models/abc/_predict", "predict"),
    ],
)
def test_names_of_calls_to_opensearch(method: str, path: str, name: str) -> None:
    assert opensearch_name(Request(method, path, (), b"")) == name
