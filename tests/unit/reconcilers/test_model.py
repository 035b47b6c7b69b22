"""One RemoteModel from its first run to its deletion, with the faults that cost models or money."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.model import ModelReconciler
from support.memory_ports import NAMESPACE, SECRET, MemoryOpenSearch, Stage, ready
from unit.reconcilers.driving import Driver

SPEC: dict[str, Any] = {"connectorRef": {"name": "embeddings"}, "modelGroupRef": {"name": "group"}}
KEY = ObjectKey("RemoteModel", NAMESPACE, "model")


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add("RemoteModel", "model", spec=SPEC)
    for number, connection in enumerate(("main", "other"), start=1):
        stage.cluster(connection)
        name = "embeddings" if connection == "main" else "elsewhere"
        spec = {"connectionRef": {"name": connection}}
        stage.add("MLConnector", name, spec=spec, status=ready(id=f"con{number}"))
    stage.add("MLModelGroup", "group", spec={"connectionRef": {"name": "main"}}, status=ready(id="grp1"))
    return stage


@pytest.fixture
def cluster(stage: Stage) -> MemoryOpenSearch:
    cluster = stage.pool.clients[ObjectKey("OpenSearchConnection", NAMESPACE, "main")]
    cluster.ids.extend(("con1", "grp1"))
    cluster.put("connector", {"name": "embeddings", "description": ""})
    cluster.put("group", {"name": "group", "description": ""})
    return cluster


@pytest.fixture
def other(stage: Stage) -> MemoryOpenSearch:
    return stage.pool.clients[ObjectKey("OpenSearchConnection", NAMESPACE, "other")]


@pytest.fixture
def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    assert cluster.docs["connector"]
    return Driver(stage, ModelReconciler(stage.ports()), KEY)


def respec(driver: Driver, **changes: Any) -> None:
    """Change the spec; None takes a field away."""
    spec = {**driver.snapshot.spec, **changes}
    driver.stage.store.change(KEY, spec={key: value for key, value in spec.items() if value is not None})


def fresh(driver: Driver) -> Driver:
    """Return the same object in a process that has just started."""
    return Driver(driver.stage, ModelReconciler(driver.stage.ports("pod-2")), KEY)


async def test_registered_and_deployed_once_and_then_left_alone(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    writes = len(driver.stage.store.writes)
    calls = len(cluster.calls)
    await driver.spend(3000)

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["id"] in cluster.docs["model"]
    assert (cluster.count("register_model"), cluster.count("deploy_model")) == (1, 1)
    assert len(driver.stage.store.writes) == writes
    assert set(cluster.calls[calls:]) == {"observe_model"}


# Its own group


async def test_a_group_of_a_users_is_not_deleted_after_it_took_the_place_of_the_own_one(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    await driver.rest()
    own = driver.status["ownedGroupID"]
    respec(driver, modelGroupRef={"name": "group"})
    await driver.rest()
    driver.delete()
    await driver.rest()

    assert list(cluster.docs["group"]) == ["grp1"]
    assert own != "grp1"
    assert cluster.docs["model"] == {}


async def test_an_unresolved_register_is_not_lost_when_the_group_is_taken_out_of_the_spec(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("register_model", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_model", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, modelGroupRef=None)
    await driver.rest()

    assert len(cluster.docs["model"]) == 1
    assert cluster.docs["model"][driver.status["id"]]["model_group_id"] == driver.status["ownedGroupID"]


async def test_an_unresolved_own_group_is_not_lost_when_a_group_comes_into_the_spec(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, modelGroupRef={"name": "group"})
    await driver.rest()
    driver.delete()
    await driver.rest()

    assert list(cluster.docs["group"]) == ["grp1"]


async def test_a_waiting_deploy_is_not_taken_for_the_announcement_of_a_group(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    gate = driver.stage.pool.gate(ObjectKey("OpenSearchConnection", NAMESPACE, "main"), "deploy")
    others = [ObjectKey("RemoteModel", NAMESPACE, f"other{number}") for number in range(4)]
    assert all(gate.try_enter(each, each.name) for each in others)
    await driver.once()
    assert driver.status["pending"]["role"] == "Deploy"
    seen: list[Any] = []
    respec(driver, modelGroupRef=None)
    create = cluster.create_group

    async def create_group(body: Any) -> str:
        seen.append(driver.status["pending"]["role"])
        return await create(body)

    cluster.create_group = create_group  # type: ignore[method-assign]
    for each in others:
        gate.leave(each)
    await driver.rest()

    assert seen == ["Group"]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_model_and_own_group_deleted_behind_our_back_are_both_made_again(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, modelGroupRef=None)
    await driver.rest()
    cluster.docs["model"].clear()
    del cluster.docs["group"][driver.status["ownedGroupID"]]
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["ownedGroupID"] in cluster.docs["group"]
    assert "ExternalIDChanged" in driver.stage.events.reasons


# Connections


async def test_a_model_does_not_move_to_another_cluster(driver: Driver, other: MemoryOpenSearch) -> None:
    await driver.rest()
    respec(driver, connectorRef={"name": "elsewhere"})
    await driver.once()

    assert driver.condition("Ready") == ("False", "ConnectionMismatch")
    assert driver.condition("Stalled") == ("True", "ConnectionMismatch")
    assert other.calls == []


async def test_a_model_is_deleted_from_the_cluster_that_it_was_made_in(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    respec(driver, connectorRef={"name": "elsewhere"})
    driver.delete()
    await driver.rest()

    assert cluster.docs["model"] == {}


@pytest.mark.parametrize("own_group", [False, True], ids=["register", "own-group"])
async def test_an_unresolved_create_is_looked_for_in_the_cluster_that_it_was_sent_to(
    driver: Driver, cluster: MemoryOpenSearch, other: MemoryOpenSearch, *, own_group: bool
) -> None:
    if own_group:
        respec(driver, modelGroupRef=None)
    for call in ("create_group", "register_model"):
        cluster.fail(call, MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    cluster.fail("search_model", MLCode.AMBIGUOUS)
    await driver.once()
    respec(driver, connectorRef={"name": "elsewhere"}, modelGroupRef=None)
    await driver.once()
    assert driver.condition("Ready") == ("False", "ConnectionMismatch")
    assert other.calls == []

    driver.delete()
    await driver.rest()
    assert cluster.docs["model"] == {}
    assert list(cluster.docs["group"]) == ["grp1"]


async def test_a_refused_create_does_not_bind_a_model_to_a_cluster(
    driver: Driver, cluster: MemoryOpenSearch, other: MemoryOpenSearch
) -> None:
    cluster.fail("register_model", MLCode.REJECTED)
    await driver.once()
    other.ids.append("con2")
    other.put("connector", {"name": "embeddings", "description": ""})
    respec(driver, connectorRef={"name": "elsewhere"}, modelGroupRef=None)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert len(other.docs["model"]) == 1


# Deployments


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


# Changes in place


async def test_drift_that_comes_back_is_corrected_three_times_and_then_shown(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    for _ in range(10):
        cluster.show("model", driver.status["id"], is_enabled=False)
        driver.stage.clock.seconds += 60
        await driver.rest()

    assert cluster.count("update_model") == 3
    assert driver.condition("Synced") == ("False", "DriftLoop")
    assert "is_enabled" in driver.message("Synced")


async def test_a_drift_loop_is_left_again_after_an_hour(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    for _ in range(4):
        cluster.show("model", driver.status["id"], is_enabled=False)
        await driver.rest()
    assert driver.condition("Synced") == ("False", "DriftLoop")
    driver.stage.clock.seconds += 3601
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_corrections_that_fail_are_no_drift_loop(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    cluster.show("model", driver.status["id"], is_enabled=False)
    for _ in range(10):
        cluster.fail("update_model", MLCode.BUSY)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.count("update_model") == 11


async def test_a_limit_that_cannot_be_taken_away_is_shown(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, rateLimiter={"limit": 4, "unit": "MINUTES"})
    await driver.rest()
    respec(driver, rateLimiter=None)
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert "rate_limiter" in driver.message("Synced")
    assert cluster.docs["model"][driver.status["id"]]["rate_limiter"] == {"limit": "4", "unit": "MINUTES"}


async def test_empty_maps_of_the_spec_settle(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, guardrails={}, interface={})
    await driver.rest()
    for field in ("guardrails", "interface"):
        cluster.docs["model"][driver.status["id"]].pop(field)  # the server leaves out what is empty
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert "update_model" not in cluster.calls


async def test_no_condition_is_older_than_the_generation_that_status_names(driver: Driver) -> None:
    await driver.rest()
    respec(driver, description="another")
    while (await driver.once()).requeue_after == 0:
        generations = {each["observedGeneration"] for each in driver.status["conditions"]}
        assert driver.status["observedGeneration"] == max(generations)
    assert {each["observedGeneration"] for each in driver.status["conditions"]} == {2}


# Deletion


async def test_a_model_that_is_stuck_in_deploying_can_be_deleted(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.deployed_state.append("DEPLOYING")
    await driver.until(lambda _: cluster.count("deploy_model") == 1)
    begun = driver.stage.clock.seconds
    driver.delete()
    outcome = await driver.rest(within=120)

    assert outcome.finalized
    assert cluster.docs["model"] == {}
    assert driver.stage.clock.seconds - begun >= 30


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


async def test_a_status_that_was_lost_makes_no_second_object(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.rest()

    assert driver.status["id"] == id_
    assert list(cluster.docs["model"]) == [id_]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_new_object_is_created_without_a_search(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()

    assert cluster.count("search_model") == 0
