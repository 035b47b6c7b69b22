"""Answers that no server should give, and statuses that nobody should write: bounded, quiet, harmless."""

from __future__ import annotations

from typing import Any, Final

import pytest

from support.eventually import eventually
from support.scene import CONNECTORS, GROUPS, MODELS, Scene

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "huge": {"status": 200, "body": '{"a": "' + "x" * 34_000_000 + '"}'},
    "truncated": {"status": 200, "body": '{"hits": {"hits": [{"_id": "a", '},
    "not JSON": {"status": 200, "body": "<html><body>Sign in</body></html>"},
    "a list": {"status": 200, "body": "[1, 2, 3]"},
    "null": {"status": 200, "body": "null"},
    "empty": {"status": 200, "body": ""},
    "wrong types": {
        "status": 200,
        "body": '{"hits": 7, "model_id": {}, "connector_id": 5, "model_group_id": [], "task_id": null, '
        '"version": "x", "cluster_uuid": 9, "model_state": [], "persistent": 3, "models": "no"}',
    },
    "ids that climb": {
        "status": 200,
        "body": '{"model_id": "../../_cluster/settings", "connector_id": "a/../b", "model_group_id": "..", '
        '"task_id": "../x"}',
    },
    "deep": {"status": 200, "body": "[" * 100_000 + "]" * 100_000},
    "a redirect": {"status": 302, "body": ""},
    "an odd status": {"status": 299, "body": "{}"},
}
READS: Final = ("get-info", "get-settings", "get-model", "get-task")
CREATES: Final = ("create-group", "create-connector", "register-model", "deploy-model")


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    texts = [record.getMessage() for record in caplog.get_records("call")]
    assert not [text for text in texts if "broke off" in text]


@pytest.mark.exhaustive
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", [*READS, *CREATES])
async def test_an_answer_that_makes_no_sense(world: Scene, operation: str, answer: str) -> None:
    carried_out = operation in CREATES
    world.ml.fail(operation, carried_out=carried_out, **ANSWERS[answer])
    world.everything()
    await world.ready(seconds=30)
    world.check_one_each()


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_cluster_that_only_talks_nonsense_hurts_nobody_else(world: Scene, answer: str) -> None:
    world.everything()
    await world.ready()
    before = (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models))
    world.ml.fail("*", times=40, **ANSWERS[answer])
    for plural, name in ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model")):
        world.look_again(plural, name)
    await eventually(lambda: not world.is_ready(MODELS, "model"), seconds=20)
    world.ml.heal()
    await world.ready(seconds=30)
    assert (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models)) == before


STATUSES: Final[dict[str, dict[str, Any]]] = {
    "no conditions": {"conditions": []},
    "foreign conditions": {
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Nonsense",
                "message": "x" * 30_000,
                "observedGeneration": 99,
                "lastTransitionTime": "never",
            }
        ]
    },
    "an old generation": {"observedGeneration": 0},
    "times of nobody": {"lastSyncTime": "9999-99-99T99:99:99Z"},
    "another hash": {"specHash": "0" * 16},
}


@pytest.mark.parametrize("plural", [GROUPS, CONNECTORS, MODELS])
@pytest.mark.parametrize("garbage", STATUSES)
async def test_a_status_that_somebody_has_scribbled_in(world: Scene, plural: str, garbage: str) -> None:
    world.everything()
    await world.ready()
    await world.quiet()
    (name,) = (body["metadata"]["name"] for body in world.kube.objects(plural))
    world.kube.patch(plural, name, {"status": STATUSES[garbage]}, world.namespace, subresource="status")
    world.look_again(plural, name)
    await eventually(
        lambda: world.status(plural, name).get("lastHandledReconcileAt") == "request-0", seconds=15
    )
    await world.ready(seconds=20)
    assert len(world.ml.models) == 1
    assert len(world.ml.groups) == 1
    assert world.ml.cluster.loaded.keys() == world.ml.models.keys()
