"""Deployments of a RemoteModel: when they are asked for again, when no more, and the slots they take."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers import managed
from opensearch_ml_operator.reconcilers.managed import PARKED
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, SECRET, ready
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import KEY, fresh, respec


@pytest.mark.parametrize("restarts", [False, True], ids=["one-process", "restarted-every-time"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "without-answer"])
@pytest.mark.parametrize("healing", [True, False], ids=["healing", "not-healing"])
async def test_deploys_that_show_no_effect_come_to_an_end(
    driver: Driver, cluster: MemoryOpenSearch, *, healing: bool, answered: bool, restarts: bool
) -> None:
    respec(driver, healing={"enabled": healing})
    for _ in range(1000):
        cluster.deployed_state.append("REGISTERED")
        if not answered:
            cluster.fail("deploy_model", MLCode.AMBIGUOUS)
    while driver.stage.clock.seconds < 3000:
        await driver.until(lambda outcome: (outcome.requeue_after or 0) >= 4)
        driver.stage.clock.seconds += 5
        driver = fresh(driver) if restarts else driver

    assert cluster.count("deploy_model") == (6 if healing else 1)
    assert driver.condition("Stalled")[0] == "True"


async def test_a_deploy_without_answer_is_given_time_from_the_end_of_the_wait_on(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.deployed_state.append("REGISTERED")
    cluster.fail("deploy_model", MLCode.AMBIGUOUS, takes=30.0, carried_out=True)
    await driver.until(lambda outcome: outcome.requeue_after == 1.0)
    driver.stage.clock.seconds += 5
    await driver.once()
    assert cluster.count("deploy_model") == 1

    cluster.show("model", driver.status["id"], model_state="DEPLOYED")
    await driver.rest()
    assert cluster.count("deploy_model") == 1


async def test_a_failed_deploy_that_nobody_has_explained_is_not_acted_on_at_once(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    cluster.show("model", driver.status["id"], model_state="DEPLOY_FAILED")
    driver.stage.clock.seconds += 600
    begun = driver.stage.clock.seconds
    await driver.until(lambda _: cluster.count("deploy_model") == 2)

    assert driver.stage.clock.seconds - begun >= 30
    assert "undeploy_model" in cluster.calls


async def test_secrets_in_a_tasks_error_are_masked_before_it_is_cut(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.deployed_state.append("DEPLOY_FAILED")
    deploy = cluster.deploy_model

    async def deploy_model(model_id: str) -> str:
        task = await deploy(model_id)
        cluster.tasks[task]["error"] = "x" * 470 + SECRET
        return task

    cluster.deploy_model = deploy_model  # type: ignore[method-assign]
    await driver.rest()

    assert "DeployTaskFailed" in driver.stage.events.reasons
    assert SECRET[:5] not in str((driver.stage.store.writes, driver.stage.events.posted))


async def test_undeploying_becomes_slower_when_it_does_not_stick(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    respec(driver, deploy=False)
    undeploy = cluster.undeploy_model

    async def undeploy_model(model_id: str) -> None:
        await undeploy(model_id)
        cluster.show("model", model_id, model_state="DEPLOYED")

    cluster.undeploy_model = undeploy_model  # type: ignore[method-assign]
    await driver.spend(60)

    assert 5 < cluster.count("undeploy_model") < 40
    assert driver.condition("Deployed") == ("False", "UndeployRunning")
    assert driver.stage.events.reasons.count("Undeployed") == 1


async def test_retry_after_of_a_refused_deploy_is_kept_to(driver: Driver, cluster: MemoryOpenSearch) -> None:
    cluster.fail("deploy_model", MLCode.LIMIT, error={"retry_after": 77.0})

    outcome = await driver.until(lambda outcome: outcome.retry)

    assert outcome.requeue_after == 77.0


# Slots


@pytest.mark.parametrize("gone", [False, True], ids=["retained", "already-gone"])
async def test_deletion_gives_the_slots_back(
    driver: Driver, cluster: MemoryOpenSearch, *, gone: bool
) -> None:
    cluster.deployed_state.append("DEPLOYING")
    await driver.until(lambda _: cluster.count("deploy_model") == 1)
    gate = driver.stage.pool.gate(ObjectKey("OpenSearchConnection", NAMESPACE, "main"), "deploy")
    assert gate.inside == 1
    respec(driver, deletionPolicy="Retain")
    driver.delete()
    last = driver.snapshot
    if gone:
        del driver.stage.store.objects[KEY]

    assert (await driver.reconciler.finalize(last)).finalized
    assert gate.inside == 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"healing": {"maxAttempts": "many"}}, id="invalid-spec"),
        pytest.param({"modelGroupRef": {"name": "none-such"}}, id="unresolved-reference"),
    ],
)
async def test_a_spec_that_cannot_be_followed_gives_the_slots_back(
    driver: Driver, cluster: MemoryOpenSearch, changes: dict[str, Any]
) -> None:
    cluster.deployed_state.append("DEPLOYING")
    await driver.until(lambda _: cluster.count("deploy_model") == 1)
    gate = driver.stage.pool.gate(ObjectKey("OpenSearchConnection", NAMESPACE, "main"), "deploy")
    assert gate.inside == 1
    respec(driver, **changes)
    await driver.once()

    assert gate.inside == 0
    assert driver.condition("Ready")[0] == "False"


@pytest.mark.parametrize(
    ("state", "quiet"),
    [
        ({}, managed.CROWD),
        (ready("False", "Creating"), managed.CROWD),
        (ready("False", "SecretNotFound"), managed.GRACE),
    ],
    ids=["untouched", "creating", "in trouble"],
)
async def test_a_new_model_waits_for_its_connector_without_a_word(
    driver: Driver, cluster: MemoryOpenSearch, state: dict[str, Any], quiet: float
) -> None:
    driver.stage.store.change(KEY, created=driver.stage.clock.now().isoformat())
    driver.stage.store.change(ObjectKey("MLConnector", NAMESPACE, "embeddings"), status=state)
    began = driver.stage.clock.seconds
    await driver.until(lambda _: "conditions" in driver.status)

    assert driver.stage.clock.seconds - began == quiet
    assert driver.condition("Ready") == ("False", "ConnectorNotReady")
    assert cluster.count("register_model") == 0


async def test_a_model_that_waits_for_its_turn_does_not_blame_its_group(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    group = ObjectKey("MLModelGroup", NAMESPACE, "group")
    there = driver.stage.store.objects[group].status
    driver.stage.store.change(group, status=ready("False", "Creating"))
    await driver.until(lambda _: "conditions" in driver.status)
    assert driver.condition("ReferencesResolved") == ("False", "ModelGroupNotReady")

    driver.stage.store.change(group, status=there)
    gate = driver.stage.pool.gate(ObjectKey("OpenSearchConnection", NAMESPACE, "main"), "register")
    others = [ObjectKey("RemoteModel", NAMESPACE, f"other-{number}") for number in range(gate.limit)]
    assert all(gate.try_enter(other, other.name) for other in others)
    assert (await driver.once()).requeue_after == PARKED
    assert driver.condition("ReferencesResolved")[0] == "True"
    assert driver.condition("Synced") == ("False", "Creating")
    assert "turn" in driver.message("Ready")
    writes = len(driver.stage.store.writes)
    await driver.once()
    assert len(driver.stage.store.writes) == writes
    assert cluster.count("register_model") == 0

    gate.leave(others[0])
    await driver.rest()
    assert driver.condition("Ready")[0] == "True"
