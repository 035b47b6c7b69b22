"""One MLModelGroup: what is sent, what counts as a difference, and when it may be deleted."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.models.group import MLModelGroupSpec
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.group import GroupReconciler, desired_body, difference
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, Stage
from unit.reconcilers.driving import Driver

KEY = ObjectKey("MLModelGroup", NAMESPACE, "one")
MARKER = "k8smluidMLModelGrouponegr1"
RESTRICTED = {"mode": "restricted", "backendRoles": ["a", "b"]}
SPECS: dict[str, dict[str, Any]] = {
    "minimal": {},
    "described": {"name": "shown", "description": "For search."},
    "public": {"access": {"mode": "public"}},
    "private": {"access": {"mode": "private"}},
    "roles": {"access": RESTRICTED},
    "all-roles": {"access": {"mode": "restricted", "addAllBackendRoles": True}},
}


def desired(spec: dict[str, Any]) -> dict[str, Any]:
    stage = Stage()
    model = MLModelGroupSpec.model_validate({"connectionRef": {"name": "main"}, **spec})
    return desired_body(stage.add("MLModelGroup", "one"), model)


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """Return the group as GET shows it: `access` for `access_mode`, and the roles that "all" stood for."""
    document = {key: value for key, value in body.items() if key in {"name", "description"}}
    if "access_mode" in body:
        document["access"] = body["access_mode"]
    roles = ["x", "y"] if body.get("add_all_backend_roles") else body.get("backend_roles")
    return document | ({"backend_roles": roles[::-1]} if roles else {}) | {"latest_version": 3}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_the_server_shows_of_what_was_sent_is_no_difference(spec: dict[str, Any]) -> None:
    body = desired(spec)

    assert difference(body, shown(body), changed=False) == {}


@pytest.mark.parametrize(
    ("before", "after", "update"),
    [
        pytest.param("minimal", {"name": "shown"}, {"name": "shown"}, id="name"),
        pytest.param("minimal", {"description": "x"}, {"description": f"x {MARKER}"}, id="description-added"),
        pytest.param("described", {"name": "shown"}, {"description": MARKER}, id="description-removed"),
        pytest.param("public", {"access": {"mode": "private"}}, {"access_mode": "private"}, id="mode"),
        pytest.param(
            "roles",
            {"access": {"mode": "restricted", "backendRoles": ["a"]}},
            {"access_mode": "restricted", "backend_roles": ["a"]},
            id="roles",
        ),
        pytest.param(
            "private",
            {"access": RESTRICTED},
            {"access_mode": "restricted", "backend_roles": ["a", "b"]},
            id="mode-and-roles",
        ),
        pytest.param(
            "roles",
            SPECS["all-roles"],
            {"access_mode": "restricted", "add_all_backend_roles": True},
            id="roles-to-all-roles",
        ),
        pytest.param(
            "all-roles",
            {"access": RESTRICTED},
            {"access_mode": "restricted", "backend_roles": ["a", "b"]},
            id="all-roles-to-roles",
        ),
        pytest.param("public", {}, {}, id="access-left-out-means-as-it-is"),
    ],
)
def test_a_change_is_exactly_the_update(before: str, after: dict[str, Any], update: dict[str, Any]) -> None:
    assert difference(desired(after), shown(desired(SPECS[before])), changed=True) == update


def test_restricted_is_never_sent_without_its_roles() -> None:
    left_over = shown(desired(SPECS["private"])) | {"backend_roles": ["a", "b"]}

    update = difference(desired(SPECS["roles"]), left_over, changed=True)

    assert update == {"access_mode": "restricted", "backend_roles": ["a", "b"]}


def test_a_mode_that_somebody_has_changed_is_put_back_with_all_roles() -> None:
    meddled = shown(desired(SPECS["private"]))

    update = difference(desired(SPECS["all-roles"]), meddled, changed=False)

    assert update == {"access_mode": "restricted", "add_all_backend_roles": True}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add("MLModelGroup", "one", spec={"connectionRef": {"name": "main"}})
    return stage


@pytest.fixture
def cluster(stage: Stage) -> MemoryOpenSearch:
    return stage.cluster()


@pytest.fixture
def driver(stage: Stage, cluster: MemoryOpenSearch) -> Driver:
    assert not cluster.calls
    return Driver(stage, GroupReconciler(stage.ports()), KEY)


async def test_created_changed_and_deleted(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "description": "words"})
    await driver.rest()
    assert cluster.docs["group"][driver.status["id"]]["description"].startswith("words ")
    driver.delete()
    assert (await driver.rest()).finalized

    assert cluster.docs["group"] == {}
    assert cluster.count("create_group", "update_group") == 2


async def test_a_group_that_was_found_is_compared_before_it_counts(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    await driver.once()
    driver.stage.store.change(KEY, spec={**driver.snapshot.spec, "name": "newer"})
    await driver.rest()

    assert [each["name"] for each in cluster.docs["group"].values()] == ["newer"]


async def test_a_group_with_models_in_it_is_kept_until_they_are_gone(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    cluster.put("model", {"model_group_id": driver.status["id"], "model_state": "DEPLOYED"})
    driver.delete()
    driver.stage.clock.seconds += 10
    await driver.once()
    assert driver.condition("Deletable") == ("False", "UsedByModels")
    cluster.docs["model"].clear()

    assert (await driver.rest()).finalized
    assert cluster.docs["group"] == {}


async def test_deletion_waits_for_a_create_that_may_still_be_carried_out(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS)
    await driver.once()
    driver.delete()
    begun = driver.stage.clock.seconds
    await driver.once()
    assert driver.condition("Deletable") == ("False", "WaitingForUnresolvedCreate")

    assert (await driver.rest()).finalized
    assert driver.stage.clock.seconds - begun >= driver.stage.quiet_period


async def test_a_group_that_waits_for_its_name_leaves_the_gate_when_it_is_deleted(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    stage = driver.stage
    connection = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
    gate = stage.pool.gate(connection, "register")
    other = ObjectKey("MLModelGroup", NAMESPACE, "other")
    assert gate.try_enter(other, "name one")
    await driver.once()
    assert gate.parked == 1
    driver.delete()
    await driver.rest()

    assert gate.parked == 0
    assert cluster.count("create_group") == 0


async def test_a_status_that_was_lost_makes_no_second_object(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    driver.stage.clock.seconds += 3600
    driver.stage.store.change(KEY, status={})
    await driver.rest()

    assert driver.status["id"] == id_
    assert list(cluster.docs["group"]) == [id_]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_new_object_is_created_without_a_search(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()

    assert cluster.count("search_group") == 0
