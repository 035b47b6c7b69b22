from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.constants import ConditionType
from opensearch_ml_operator.engine.summary import summary_of
from unit.engine.builders import ready, snapshot

BASE: dict[str, Any] = {"generation": 2, "status": ready("True", "Succeeded", id="abc")}


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "other"},
        {"generation": 3},
        {"deleting": True},
        {"status": ready("False", "Succeeded", id="abc")},
        {"status": ready("True", "Creating", id="abc")},
        {"status": ready("True", "Succeeded", id="xyz")},
        {"status": {}},
    ],
)
def test_what_dependents_decide_by_changes_the_summary(change: dict[str, Any]) -> None:
    assert summary_of(snapshot(**(BASE | change))) != summary_of(snapshot(**BASE))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 7},
        {"annotations": {"opensearchml.io/reconcile-requested-at": "now"}},
        {"spec": {"description": "new"}},
        {"status": ready("True", "Succeeded", id="abc", lastSyncTime="2026-01-01T00:00:00Z")},
    ],
)
def test_anything_else_does_not(change: dict[str, Any]) -> None:
    assert summary_of(snapshot(**(BASE | change))) == summary_of(snapshot(**BASE))


def test_a_missing_object_differs_from_every_object() -> None:
    assert summary_of(None) is None
    assert summary_of(snapshot()) is not None


@pytest.mark.parametrize("conditions", [None, "x", {}, [None], ["Ready"], [{}], [{"type": "Deployed"}]])
def test_a_condition_that_cannot_be_read_is_empty(conditions: object) -> None:
    assert snapshot(status={"conditions": conditions}).condition(ConditionType.READY) == {}
