"""Probing a model: when a prediction is made, what it does to Ready, and what is written for it."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError, MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.model.reconciler import ModelReconciler
from support.memory_opensearch import Failure, MemoryOpenSearch, embedding
from support.memory_ports import NAMESPACE, SECRET, Stage, ready
from unit.reconcilers.driving import Driver

KEY = ObjectKey("RemoteModel", NAMESPACE, "model")
CONNECTION = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
CONNECTOR = ObjectKey("MLConnector", NAMESPACE, "embeddings")
PROBE: dict[str, Any] = {"parameters": {"input": ["hello"]}, "expect": {"dimension": 4}}
PERIODIC: dict[str, Any] = {**PROBE, "mode": "Periodic", "interval": "2m"}
HOUR = 3600.0


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.cluster()
    spec = {"connectionRef": {"name": "main"}}
    stage.add("MLConnector", "embeddings", spec=spec, status=ready(id="con1"))
    stage.add("MLModelGroup", "group", spec=spec, status=ready(id="grp1"))
    return stage


@pytest.fixture
def cluster(stage: Stage) -> MemoryOpenSearch:
    cluster = stage.pool.clients[CONNECTION]
    cluster.ids.extend(("con1", "con2", "grp1"))
    cluster.put("connector", {"name": "embeddings", "description": ""})
    cluster.put("connector", {"name": "embeddings", "description": ""})
    cluster.put("group", {"name": "group", "description": ""})
    return cluster


def model(stage: Stage, probe: dict[str, Any] | None, **changes: Any) -> Driver:
    spec = {"connectorRef": {"name": "embeddings"}, "modelGroupRef": {"name": "group"}, **changes}
    stage.add("RemoteModel", "model", spec=spec if probe is None else {**spec, "probe": probe})
    return Driver(stage, ModelReconciler(stage.ports()), KEY)


@pytest.fixture
def driver(stage: Stage) -> Driver:
    return model(stage, PROBE)


@pytest.fixture
def periodic(stage: Stage) -> Driver:
    return model(stage, PERIODIC)


def restarted(driver: Driver) -> Driver:
    """Return the same object in a process that has just started."""
    return Driver(driver.stage, ModelReconciler(driver.stage.ports("pod-2")), KEY)


def refuse(cluster: MemoryOpenSearch, words: str = "bad key", status: int = 401, times: int = 1) -> None:
    """Let the provider refuse the next predictions."""
    error = MLError(MLCode.PROVIDER_FAILED, f"Error from remote service: {words}", status=status)
    cluster.failures["predict"].extend([Failure(error)] * times)


async def run_for(driver: Driver, seconds: float) -> int:
    """Run for a while and return how often the model was called meanwhile."""
    cluster = driver.stage.pool.clients[CONNECTION]
    before = len(cluster.predictions)
    await driver.spend(seconds)
    return len(cluster.predictions) - before


# When


async def test_a_model_is_probed_once_it_is_deployed_and_then_left_alone(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()

    assert cluster.predictions == [(driver.status["id"], {"parameters": {"input": ["hello"]}})]
    assert driver.condition("Healthy") == ("True", "Succeeded")
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["probe"]["dimension"] == 4
    assert driver.status["probe"]["lastTime"] == driver.status["probe"]["lastSuccessTime"]
    assert await run_for(driver, 24 * HOUR) == 0
    assert await run_for(restarted(driver), 24 * HOUR) == 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"probe": None}, id="none"),
        pytest.param({"probe": {}}, id="nothing-to-send"),
        pytest.param({"probe": {**PERIODIC, "mode": "Off"}}, id="off"),
        pytest.param({"probe": PERIODIC, "deploy": False}, id="not-to-be-deployed"),
        pytest.param({"probe": PERIODIC, "enabled": False}, id="not-to-be-called"),
    ],
)
async def test_no_prediction_without_need(
    stage: Stage, cluster: MemoryOpenSearch, changes: dict[str, Any]
) -> None:
    probe = changes.pop("probe")
    driver = model(stage, probe, **changes)

    assert await run_for(driver, 2 * HOUR) == 0
    assert cluster.predictions == []
    assert driver.condition("Healthy") == ("", "")
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_probe_adds_no_write(stage: Stage, cluster: MemoryOpenSearch) -> None:
    plain = model(stage, None)
    await plain.rest()
    writes = len(stage.store.writes)
    cluster.docs["model"].clear()
    probed = model(stage, PROBE)
    await probed.rest()

    assert len(stage.store.writes) == 2 * writes


async def test_every_change_of_the_object_or_its_connector_is_probed(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "description": "changed"})
    await driver.rest()
    assert len(cluster.predictions) == 2

    driver.stage.store.change(CONNECTOR, status=ready(id="con2"))
    await driver.rest()
    assert len(cluster.predictions) == 3
    assert cluster.docs["model"][driver.status["id"]]["connector_id"] == "con2"
    assert await run_for(driver, 2 * HOUR) == 0


async def test_a_model_that_is_deployed_again_is_probed(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    cluster.show("model", driver.status["id"], model_state="UNDEPLOYED")
    driver.stage.clock.seconds += 600
    refuse(cluster)
    await driver.until(lambda _: cluster.count("deploy_model") == 2 and len(cluster.predictions) == 2)

    assert driver.condition("Deployed") == ("True", "Succeeded")
    assert driver.condition("Healthy") == ("False", "ProbeFailed")


async def test_a_model_at_rest_is_not_woken_for_a_probe(stage: Stage, cluster: MemoryOpenSearch) -> None:
    driver = model(stage, PERIODIC, deploySetting={"ttlMinutes": 5})
    await driver.until(lambda _: bool(cluster.predictions))
    cluster.show("model", driver.status["id"], model_state="UNDEPLOYED")

    assert await run_for(driver, 2 * HOUR) == 0
    assert cluster.docs["model"][driver.status["id"]]["model_state"] == "UNDEPLOYED"
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.condition("Healthy") == ("True", "Succeeded")

    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "description": "changed"})
    await driver.until(lambda outcome: (outcome.requeue_after or 0) > 1)
    assert driver.condition("Healthy") == ("", "")
    cluster.show("model", driver.status["id"], model_state="DEPLOYED")
    assert await run_for(driver, 300) > 0
    assert driver.condition("Healthy") == ("True", "Succeeded")


async def test_a_periodic_probe_looks_first_whether_the_model_is_deployed(
    periodic: Driver, cluster: MemoryOpenSearch
) -> None:
    await periodic.until(lambda _: bool(cluster.predictions), within=60)
    cluster.calls.clear()
    await run_for(periodic, 601)

    calls = [call for call in cluster.calls if call in {"get_model", "predict"}]
    assert calls.count("predict") >= 4
    assert calls == ["get_model", "predict"] * calls.count("predict")


# Failures


async def test_a_model_that_cannot_answer_is_not_ready_and_recovers(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    refuse(cluster, times=3)
    await driver.until(lambda _: len(cluster.predictions) == 1)
    assert driver.condition("Healthy") == ("False", "ProbeFailed")
    assert driver.condition("Ready") == ("False", "ProbeFailed")
    assert driver.condition("Reconciling") == ("True", "ProgressingWithRetry")
    assert driver.condition("Deployed") == ("True", "Succeeded")
    assert "401" in driver.message("Healthy")
    assert "lastSuccessTime" not in driver.status["probe"]
    assert ("Warning", "ProbeFailed", driver.message("Healthy")) in driver.stage.events.posted

    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.stage.clock.seconds == pytest.approx(10 + 20 + 40, abs=5)


async def test_retries_become_rare_and_write_nothing(driver: Driver, cluster: MemoryOpenSearch) -> None:
    for number in range(100):
        refuse(cluster, f"request {number}: bad key")
    await driver.until(lambda _: len(cluster.predictions) == 2)
    writes = len(driver.stage.store.writes)

    assert await run_for(driver, 2 * HOUR) <= 5 + 7200 / 300
    assert len(driver.stage.store.writes) == writes
    assert "request 0" in driver.message("Healthy")

    refuse(cluster, "gone", status=404)
    cluster.failures["predict"].rotate(1)
    await run_for(driver, 1)
    assert "404: gone" in driver.message("Healthy")
    assert driver.status["probe"]["message"] == driver.message("Healthy")


async def test_a_request_of_a_person_tries_again_at_once_and_once(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    refuse(cluster, times=100)
    await driver.until(lambda _: len(cluster.predictions) == 6)
    driver.stage.store.change(KEY, annotations={"opensearchml.io/reconcile-requested-at": "now"})
    driver.stage.store.failures.append((KubernetesUnavailableError("away"), False))
    with pytest.raises(KubernetesUnavailableError):
        await driver.once()
    await driver.once()
    await driver.once()

    assert len(cluster.predictions) == 7


async def test_a_write_that_fails_is_no_reason_to_predict_again(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.until(lambda _: cluster.count("deploy_model") == 1)
    driver.stage.store.failures.extend([(KubernetesUnavailableError("away"), False)] * 20)
    for _ in range(20):
        with pytest.raises(KubernetesUnavailableError):
            await driver.once()
    await driver.rest()

    assert len(cluster.predictions) == 1
    assert driver.condition("Healthy") == ("True", "Succeeded")


async def test_after_a_restart_a_failure_is_not_probed_at_once(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    refuse(cluster, times=10)
    await driver.until(lambda _: len(cluster.predictions) == 1)
    writes = len(driver.stage.store.writes)
    for _ in range(5):
        await restarted(driver).once()
    assert len(cluster.predictions) == 1

    assert await run_for(restarted(driver), 11) == 1
    assert len(driver.stage.store.writes) == writes


async def test_unexpected_output_is_told_and_mended_by_a_change(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.answers.append(embedding(8))
    await driver.until(lambda _: len(cluster.predictions) == 1)
    assert driver.condition("Ready") == ("False", "UnexpectedOutput")
    assert driver.status["probe"]["dimension"] == 8
    assert "8 dimensions, not of 4" in driver.message("Healthy")

    cluster.answers.append(embedding(8))
    probe = {**PROBE, "expect": {"dimension": 8}}
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "probe": probe})
    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_when_opensearch_itself_is_away_the_model_is_not_blamed(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("predict", MLCode.NOT_SENT)
    await driver.until(lambda outcome: outcome.retry)
    assert driver.condition("Ready") == ("False", "ConnectionNotReady")
    assert driver.condition("Healthy") == ("", "")

    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_secrets_in_a_providers_words_are_masked_before_they_are_cut(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    for padding in range(240, 300, 6):
        refuse(cluster, "x" * padding + SECRET, status=400 + padding)
    await driver.until(lambda _: len(cluster.predictions) == 10)

    assert SECRET[:5] not in str((driver.stage.store.writes, driver.stage.events.posted))


# Periodic


async def test_a_periodic_probe_comes_once_an_interval_and_writes_nothing(
    periodic: Driver, cluster: MemoryOpenSearch
) -> None:
    await periodic.until(lambda _: bool(cluster.predictions))
    writes = len(periodic.stage.store.writes)

    assert await run_for(periodic, HOUR + 1) == 30
    assert len(periodic.stage.store.writes) == writes


async def test_the_times_are_written_with_whatever_else_is_written(
    periodic: Driver, cluster: MemoryOpenSearch
) -> None:
    await periodic.until(lambda _: bool(cluster.predictions))
    first = periodic.status["probe"]["lastTime"]
    await run_for(periodic, HOUR)
    cluster.show("model", periodic.status["id"], current_worker_node_count=3)
    await run_for(periodic, 121)

    assert periodic.status["workers"]["current"] == 3
    assert periodic.status["probe"]["lastTime"] > first


async def test_a_periodic_probe_is_not_repeated_by_restarts(
    periodic: Driver, cluster: MemoryOpenSearch
) -> None:
    await periodic.until(lambda _: bool(cluster.predictions))
    for _ in range(10):
        await restarted(periodic).once()
    assert len(cluster.predictions) == 1

    assert await run_for(restarted(periodic), 121) == 1


async def test_a_healthy_model_becomes_unhealthy_by_failures_in_a_row_alone(
    periodic: Driver, cluster: MemoryOpenSearch
) -> None:
    await periodic.until(lambda _: bool(cluster.predictions))
    writes = len(periodic.stage.store.writes)
    refuse(cluster, times=2)
    assert await run_for(periodic, 3 * 120 + 1) == 3
    refuse(cluster, times=2)
    assert await run_for(periodic, 2 * 120) == 2
    assert periodic.condition("Healthy") == ("True", "Succeeded")
    assert len(periodic.stage.store.writes) == writes

    refuse(cluster)
    await run_for(periodic, 1)
    assert periodic.condition("Healthy") == ("False", "ProbeFailed")
    await run_for(periodic, 300)
    assert periodic.condition("Healthy") == ("True", "Succeeded")


# Ends


async def test_a_probe_that_is_taken_away_leaves_nothing(driver: Driver, cluster: MemoryOpenSearch) -> None:
    refuse(cluster, times=5)
    await driver.until(lambda _: len(cluster.predictions) == 1)
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "probe": None})
    await driver.rest()

    assert driver.condition("Healthy") == ("", "")
    assert "probe" not in driver.status
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert len(cluster.predictions) == 1


async def test_only_a_few_models_are_probed_at_once(driver: Driver, cluster: MemoryOpenSearch) -> None:
    gate = driver.stage.pool.gate(CONNECTION, "probe")
    others = [ObjectKey("RemoteModel", NAMESPACE, f"other{number}") for number in range(4)]
    assert all(gate.try_enter(each, each.name) for each in others)
    await driver.until(lambda outcome: (outcome.requeue_after or 0) >= 30)
    assert cluster.predictions == []
    assert driver.stage.pool.gate(CONNECTION, "deploy").inside == 0

    gate.leave(others[0])
    assert KEY in driver.stage.pool.woken
    await driver.rest()
    assert len(cluster.predictions) == 1
    assert gate.inside == 3


async def test_a_model_that_goes_gives_up_its_place(driver: Driver, cluster: MemoryOpenSearch) -> None:
    gate = driver.stage.pool.gate(CONNECTION, "probe")
    others = [ObjectKey("RemoteModel", NAMESPACE, f"other{number}") for number in range(4)]
    assert all(gate.try_enter(each, each.name) for each in others)
    await driver.until(lambda outcome: (outcome.requeue_after or 0) >= 30)
    assert gate.parked == 1
    driver.delete()
    await driver.rest()

    assert gate.parked == 0
    assert cluster.predictions == []
