"""A new connector is tried before models are moved to it: no prediction meets a wrong key."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from support import traps
from support.eventually import eventually
from support.scene import CONNECTORS, MODELS, URL, Scene
from support.traps import When

from .conftest import Stage
from .test_faults import FAULTS, crash_in
from .test_holding import FREE, HOLDS, effects

PROBE: dict[str, Any] = {"parameters": {"input": ["hello"]}, "expect": {"dimension": 3}}
VECTOR = [0.25, -0.5, 0.75]
FIRST, WRONG, RIGHT = "value-of-the-credential", "a-wrong-value", "the-right-value"
STEPS = (
    *("create-connector", "create-group", "register-model", "deploy-model", "predict"),
    *("update-model", "undeploy-model", "delete-model", "delete-group"),
)


async def in_use(world: Scene, *, keep: str = "0s") -> tuple[str, str]:
    """Create everything with a probe; return the ids of connector and model."""
    world.ml.cluster.model_answers[URL] = (200, VECTOR)
    world.ml.cluster.model_keys[URL] = {FIRST, RIGHT}
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": keep})
    world.edit(MODELS, "model", probe=PROBE)
    await world.ready()
    await world.quiet()
    (connector,), (model,) = world.ml.connectors, world.ml.models
    return connector, model


def rotate(world: Scene, token: str) -> None:
    """Give the Secret another value, and let it be noticed."""
    world.secret("key", token=token)
    world.look_again(CONNECTORS, "connector")


RETAIN = {"opensearchml.io/deletion-policy": "Retain"}
DELETING = 'opensearch_ml_resource_deletion_timestamp_seconds{kind="MLConnector"'
"""In the metrics when the operator has heard of the deletion."""


@pytest.mark.parametrize("step", ["create-group", "register-model", "deploy-model"])
async def test_a_connector_that_is_retained_takes_its_trial_along(stage: Stage, step: str) -> None:
    world = await stage(speed=2.0)  # a minute is all that there is for it
    connector, model = await in_use(world)
    hold = world.ml.hold(step)
    rotate(world, RIGHT)
    await eventually(hold.arrived.is_set)
    world.kube.annotate(CONNECTORS, "connector", RETAIN, world.namespace)
    world.delete(CONNECTORS, "connector")
    await eventually(lambda: DELETING in world.operator.metrics.scrape()().decode())
    hold.release()
    await eventually(lambda: world.kube.get(CONNECTORS, "connector", world.namespace) is None, seconds=30)
    assert list(world.ml.connectors) == [connector]
    assert list(world.ml.models) == [model]


async def test_a_connector_is_let_go_when_its_trial_cannot_be_cleared_away(world: Scene) -> None:
    await in_use(world)
    hold = world.ml.hold("predict")
    rotate(world, RIGHT)
    await eventually(hold.arrived.is_set)
    world.ml.fail("undeploy-model", times=10_000)
    hold.release()
    for plural, name in ((CONNECTORS, "connector"), (MODELS, "model")):
        world.kube.annotate(plural, name, RETAIN, world.namespace)
        world.delete(plural, name)
    await eventually(lambda: world.kube.get(CONNECTORS, "connector", world.namespace) is None, seconds=30)


async def swapped(world: Scene, first: str, model: str) -> None:
    """Wait until the model is on another connector, with the right key, and nothing else is left."""
    await eventually(lambda: world.ml.cluster.loaded.get(model) not in {first, None}, seconds=30)
    await eventually(lambda: len(world.ml.connectors) == len(world.ml.models) == 1, seconds=30)
    await world.ready(seconds=30)
    await world.quiet(seconds=20)
    world.check_one_each()
    assert list(world.ml.models) == [model]
    ((_, document),) = world.ml.connectors.items()
    assert document["credential"] == {"token": RIGHT}
    assert not {"candidate", "trial", "pending"} & world.status(CONNECTORS, "connector").keys()
    no_failed_prediction(world, model)


def no_failed_prediction(world: Scene, model: str) -> None:
    """Assert that the users' model was never refused by its provider."""
    mine = [call for call in world.ml.requests if call.operation == "predict" and call.id == model]
    assert {call.status for call in mine} <= {200, None}


async def test_a_good_key_is_tried_once_and_the_trial_leaves_nothing(world: Scene) -> None:
    first, model = await in_use(world)
    predictions = world.ml.count("predict")
    rotate(world, RIGHT)
    await swapped(world, first, model)
    assert world.ml.count("predict") == predictions + 2  # the trial, and the model's own probe
    assert world.ml.count("register-model") == 2
    assert world.writes()[CONNECTORS] < 20


async def test_a_wrong_key_moves_nothing_until_the_right_one_comes(world: Scene) -> None:
    first, model = await in_use(world)
    rotate(world, WRONG)
    condition = await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    assert "Incorrect API key" in condition["message"]
    assert first in condition["message"]
    assert world.condition(CONNECTORS, "connector")["status"] == "False"
    assert world.status(CONNECTORS, "connector")["id"] == first
    assert world.is_ready(MODELS, "model")
    assert world.ml.cluster.loaded[model] == first
    rotate(world, RIGHT)
    await swapped(world, first, model)
    assert world.status(CONNECTORS, "connector")["revision"] == 3


async def test_the_right_key_does_not_wait_for_a_wrong_one_that_strangers_hold(stage: Stage) -> None:
    """OpenSearch takes whose connector has a piece of the id in its own for a user of this connector."""
    world = await stage(speed=20.0)
    first, model = await in_use(world)
    numbers = itertools.count(100)
    world.ml.cluster.new_id = lambda: f"with{next(numbers)}-{next(numbers)}"
    rotate(world, WRONG)
    await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    wrong = world.status(CONNECTORS, "connector")["candidate"]["id"]
    piece = wrong.rpartition("-")[2]
    world.ml.models["stranger"] = {
        **world.ml.models[model],
        "description": "not ours",
        "model_state": "REGISTERED",
        "connector_id": f"else-{piece}",
    }
    rotate(world, RIGHT)
    await eventually(lambda: world.ml.cluster.loaded.get(model) not in {first, None}, seconds=30)
    assert wrong in world.ml.connectors
    del world.ml.models["stranger"]
    await swapped(world, first, model)


async def test_a_wrong_key_is_no_loop(world: Scene) -> None:
    await in_use(world)
    rotate(world, WRONG)
    await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    await world.quiet()
    writes, creates = world.writes(), world.ml.count("create-connector", "register-model")
    before = world.ml.count("predict")
    await eventually(lambda: world.ml.count("predict") >= before + 2, seconds=15)
    assert world.ml.count("predict") <= before + 3
    assert world.writes() == writes
    assert world.ml.count("create-connector", "register-model") == creates
    await world.operator.restart()
    await eventually(lambda: world.ml.count("predict") >= before + 3, seconds=15)
    await world.quiet()
    assert world.writes() == writes


async def test_a_provider_that_comes_back_is_waited_for(world: Scene) -> None:
    first, model = await in_use(world)
    world.ml.cluster.model_answers[URL] = (503, {"error": "overloaded"})
    rotate(world, RIGHT)
    await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    world.ml.cluster.model_answers[URL] = (200, VECTOR)
    await swapped(world, first, model)


async def test_the_old_key_comes_back(world: Scene) -> None:
    """Whoever takes a change back finds all as it was; the candidate goes."""
    first, model = await in_use(world)
    world.edit(CONNECTORS, "connector", parameters={"model": "large"})
    await eventually(lambda: world.status(CONNECTORS, "connector").get("candidate") is not None)
    world.edit(CONNECTORS, "connector", parameters={"model": "small"})
    await eventually(lambda: len(world.ml.connectors) == len(world.ml.models) == 1, seconds=20)
    await world.ready()
    await world.quiet()
    world.check_one_each()
    no_failed_prediction(world, model)
    assert first


async def test_an_answer_of_another_form_is_not_taken_either(world: Scene) -> None:
    first, _ = await in_use(world)
    world.ml.cluster.model_answers[URL.replace("v1", "v2")] = (200, VECTOR[:2])
    (action,) = world.get(CONNECTORS, "connector")["spec"]["actions"]
    world.edit(CONNECTORS, "connector", actions=[{**action, "url": URL.replace("v1", "v2")}])
    condition = await world.becomes(CONNECTORS, "connector", "Synced", "UnexpectedOutput")
    assert "2 dimensions, not of 3" in condition["message"]
    assert world.status(CONNECTORS, "connector")["id"] == first
    assert world.is_ready(MODELS, "model")


async def test_several_models_are_tried_for_with_one_model(world: Scene) -> None:
    first, _ = await in_use(world)
    world.model("second", probe=PROBE)
    world.model("third", probe={**PROBE, "parameters": {"input": ["another"]}})
    world.model("fourth")
    await world.ready()
    before = world.ml.count("register-model")
    rotate(world, RIGHT)
    await eventually(lambda: len(world.ml.connectors) == 1 and first not in world.ml.connectors, seconds=30)
    await world.ready()
    await world.quiet()
    assert world.ml.count("register-model") == before + 1
    assert set(world.ml.cluster.loaded.values()) == set(world.ml.connectors)
    assert len(world.ml.cluster.loaded) == 4


async def test_without_a_probe_nothing_is_tried(world: Scene) -> None:
    first, model = await in_use(world)
    world.edit(MODELS, "model", probe=None)
    await world.ready()
    rotate(world, RIGHT)
    await eventually(lambda: world.ml.cluster.loaded[model] != first)
    await world.ready()
    assert world.ml.count("register-model") == 1


@pytest.mark.parametrize("token", [RIGHT, WRONG])
async def test_deletion_in_the_middle_leaves_nothing(world: Scene, token: str) -> None:
    await in_use(world)
    rotate(world, token)
    await eventually(lambda: len(world.ml.models) == 2)
    world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_around_each_step(world: Scene, step: str, when: When) -> None:
    first, model = await in_use(world)
    trap = traps.set_for_opensearch(world.ml, step, when=when)
    rotate(world, RIGHT)
    await crash_in(world, trap)
    await swapped(world, first, model)


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 10))
async def test_a_crash_around_each_record(world: Scene, number: int, when: When) -> None:
    first, model = await in_use(world)
    trap = traps.set_for_kube(
        world.kube, resource=CONNECTORS, subresource="status", occurrence=number, when=when
    )
    rotate(world, RIGHT)
    await crash_in(world, trap)
    await swapped(world, first, model)


@pytest.mark.exhaustive
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_without_an_answer(world: Scene, step: str) -> None:
    first, model = await in_use(world)
    world.ml.fail(step, **FAULTS["lost answer"])
    rotate(world, RIGHT)
    await swapped(world, first, model)


@pytest.mark.parametrize("how", HOLDS)
async def test_a_trial_that_is_held_stops_where_it_is_and_goes_on_later(world: Scene, how: str) -> None:
    first, model = await in_use(world)
    rotate(world, WRONG)
    await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    world.edit(CONNECTORS, "connector", **HOLDS[how])
    await world.becomes(CONNECTORS, "connector", "Synced", "DriftDetected")
    await world.quiet()
    world.ml.requests.clear()
    before = world.status(CONNECTORS, "connector")["lastHandledReconcileAt"]
    rotate(world, RIGHT)
    await eventually(lambda: world.status(CONNECTORS, "connector")["lastHandledReconcileAt"] != before)
    await world.quiet()
    assert effects(world) == []
    assert len(world.ml.connectors) == len(world.ml.models) == 2
    world.edit(CONNECTORS, "connector", **FREE)
    await swapped(world, first, model)


async def test_an_adoption_in_the_middle_ends_it(world: Scene) -> None:
    """What is adopted is not replaced; what was to replace its predecessor goes."""
    first, model = await in_use(world)
    rotate(world, WRONG)
    await world.becomes(CONNECTORS, "connector", "Synced", "ProbeFailed")
    other = {**world.ml.connectors.pop(first), "description": "Somebody else's"}
    world.ml.connectors["other"] = other
    world.edit(CONNECTORS, "connector", adopt={"id": "other"})
    await eventually(lambda: list(world.ml.connectors) == ["other"], seconds=30)
    await eventually(lambda: list(world.ml.models) == [model], seconds=30)
    await world.quiet()
    status = world.status(CONNECTORS, "connector")
    assert (status["id"], status["origin"]) == ("other", "Adopted")
    assert not {"candidate", "trial", "pending"} & status.keys()
