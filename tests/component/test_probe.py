"""Probes of models, with the whole operator between the two fakes."""

from __future__ import annotations

from typing import Any

from support.eventually import eventually
from support.scene import ADMIN, CONNECTORS, MODELS, URL, Scene

from .conftest import Stage

PROBE: dict[str, Any] = {"parameters": {"input": ["hello"]}, "expect": {"dimension": 3}}
VECTOR = [0.25, -0.5, 0.75]


def with_probe(world: Scene, **changes: Any) -> None:
    """Create everything, with a probe of the model, which answers with a vector."""
    world.ml.cluster.model_answers.setdefault(URL, (200, VECTOR))
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.group()
    world.connector()
    world.model(probe={**PROBE, **changes})


async def test_a_set_with_a_probe_costs_one_request_more(stage: Stage) -> None:
    world = await stage(speed=1.0)
    with_probe(world)
    await world.ready()
    await world.quiet()
    assert world.ml.count("predict") == 1
    assert world.writes()[MODELS] <= 5
    assert world.condition(MODELS, "model", "Healthy")["status"] == "True"
    assert world.status(MODELS, "model")["probe"]["dimension"] == 3
    await world.operator.restart()
    world.look_again(MODELS, "model")
    await world.ready()
    await world.quiet()
    assert world.ml.count("predict") == 1


async def test_a_rotated_key_is_probed_and_a_bad_one_shown(world: Scene) -> None:
    with_probe(world)
    await world.ready()
    world.ml.cluster.model_answers[URL] = (401, {"error": "Incorrect key: other-value-of-the-credential"})
    world.secret("key", token="other-value-of-the-credential")
    world.look_again(CONNECTORS, "connector")
    condition = await world.becomes(CONNECTORS, "connector", "Ready", "ProbeFailed")
    assert "provider, not OpenSearch, answered the probe with status 401" in condition["message"]
    assert "other-value" not in str(world.status(CONNECTORS, "connector"))
    assert world.is_ready(MODELS, "model")

    world.ml.cluster.model_answers[URL] = (200, VECTOR)
    world.look_again(CONNECTORS, "connector")
    await world.ready()
    assert all(call.status in {200, 401} for call in world.ml.requests if call.operation == "predict")


async def test_other_objects_of_the_connection_do_not_suffer_from_a_providers_refusal(world: Scene) -> None:
    world.ml.cluster.model_answers[URL] = (401, {"error": "no"})
    with_probe(world)
    await world.becomes(MODELS, "model", "Healthy", "ProbeFailed")
    world.group("another")
    await eventually(lambda: world.is_ready("mlmodelgroups", "another"))
    assert world.is_ready("opensearchconnections", "main")


async def test_periodic_probes_come_and_write_nothing(stage: Stage) -> None:
    world = await stage(speed=60.0)
    with_probe(world, mode="Periodic", interval="30s")
    await world.ready()
    await world.quiet()
    writes = world.writes()
    before = world.ml.count("predict")
    await eventually(lambda: world.ml.count("predict") >= before + 4, seconds=15)
    assert world.writes() == writes


async def test_a_probe_without_an_answer_ends(world: Scene) -> None:
    world.ml.fail("predict", hang=True)
    with_probe(world)
    world.edit("opensearchconnections", "main", timeout={"connect": "10s", "read": "5s"})
    condition = await world.becomes(MODELS, "model", "Healthy", "ProbeFailed")
    assert "spec.timeout.read" in condition["message"]
    await world.ready(seconds=20)


async def test_without_the_permission_the_role_is_named(stage: Stage) -> None:
    world = await stage(users={ADMIN["username"]: ADMIN["password"]})
    world.ml.forbidden.add("predict")
    with_probe(world)
    condition = await world.becomes(MODELS, "model", "Healthy", "ProbeFailed")
    assert "probe-role.json" in condition["message"]
    world.ml.forbidden.clear()
    world.look_again(MODELS, "model")
    await world.ready()


async def test_another_dimension_than_expected_is_shown(world: Scene) -> None:
    with_probe(world, expect={"dimension": 768})
    condition = await world.becomes(MODELS, "model", "Ready", "UnexpectedOutput")
    assert "3 dimensions, not of 768" in condition["message"]
    world.edit(MODELS, "model", probe=PROBE)
    await world.ready()
