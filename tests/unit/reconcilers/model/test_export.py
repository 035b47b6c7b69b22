"""The model's id in a ConfigMap or Secret: there once it is known, right ever after, never one of others."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    OperatorError,
    StatusConflictError,
)
from opensearch_ml_operator.reconcilers.ports import Export, Owner
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import MemoryExports
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import fresh, respec

IDS = ("ConfigMap", "ids")
PLACE = {"name": "ids"}
SECRET = {"kind": "Secret", "name": "ids"}


@pytest.fixture
def exports(driver: Driver) -> MemoryExports:
    return driver.stage.exports


def held(exports: MemoryExports) -> dict[tuple[str, str], dict[str, str]]:
    return {place: dict(one.data) for place, one in exports.objects.items()}


async def test_written_once_and_left_alone(driver: Driver, exports: MemoryExports) -> None:
    respec(driver, exportID=PLACE)
    await driver.rest()
    assert held(exports) == {IDS: {"model_id": driver.status["id"]}}
    writes = len(driver.stage.store.writes)
    await driver.spend(3000)
    await fresh(driver).rest()

    assert exports.writes == ["create"]
    assert len(driver.stage.store.writes) == writes
    assert driver.stage.events.reasons.count("Exported") == 1


async def test_it_costs_no_status_write(driver: Driver, exports: MemoryExports) -> None:
    respec(driver, exportID=PLACE)
    await driver.rest()

    assert exports.writes == ["create"]
    assert len(driver.stage.store.writes) == 4  # intent, id with the intent to deploy, task, end


async def test_nothing_is_written_for_a_model_that_is_not_deployed(
    driver: Driver, cluster: MemoryOpenSearch, exports: MemoryExports
) -> None:
    respec(driver, exportID=PLACE, healing={"enabled": False})
    cluster.deployed_state.append("DEPLOY_FAILED")
    await driver.spend(100)

    assert driver.condition("Deployed")[0] == "False"
    assert held(exports) == {}


async def test_a_new_id_is_written_in_place_of_the_old(
    driver: Driver, cluster: MemoryOpenSearch, exports: MemoryExports
) -> None:
    respec(driver, exportID=PLACE)
    await driver.rest()
    old = driver.status["id"]
    cluster.docs["model"].clear()
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.status["id"] != old
    assert held(exports) == {IDS: {"model_id": driver.status["id"]}}


@pytest.mark.parametrize("what", ["deleted", "changed", "emptied"])
async def test_what_others_do_to_it_is_put_back(driver: Driver, exports: MemoryExports, what: str) -> None:
    respec(driver, exportID=PLACE)
    await driver.rest()
    before = exports.objects.pop(IDS)
    if what != "deleted":
        data = {"model_id": "other", "theirs": "kept"} if what == "changed" else {}
        exports.objects[IDS] = Export(before.uid, "9", before.owners, data)
    await driver.rest()

    assert held(exports)[IDS]["model_id"] == driver.status["id"]
    assert what != "changed" or held(exports)[IDS]["theirs"] == "kept"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"name": "others"}, {("ConfigMap", "others"): "model_id"}),
        ({"name": "ids", "key": "id"}, {IDS: "id"}),
        (SECRET, {("Secret", "ids"): "model_id"}),
        (None, {}),
    ],
    ids=["name", "key", "kind", "none"],
)
async def test_moved_with_the_spec(
    driver: Driver,
    exports: MemoryExports,
    after: dict[str, str] | None,
    expected: dict[tuple[str, str], str],
) -> None:
    respec(driver, exportID=PLACE)
    await driver.rest()
    respec(driver, exportID=after)
    await driver.rest()

    id_ = driver.status["id"]
    assert held(exports) == {place: {key: id_} for place, key in expected.items()}
    assert driver.status.get("export", {}).get("name") == (after or {}).get("name")


async def test_a_write_whose_answer_is_lost_leaves_nothing_when_the_spec_moves_on(
    driver: Driver, exports: MemoryExports
) -> None:
    await driver.rest()
    respec(driver, exportID=PLACE)
    create = exports.create

    async def lost(kind: str, name: str, **how: object) -> None:
        await create(kind, name, **how)  # type: ignore[arg-type]
        raise KubernetesUnavailableError("no answer")

    exports.create = lost  # type: ignore[method-assign]
    with pytest.raises(KubernetesUnavailableError):
        await driver.rest()
    assert IDS in exports.objects
    exports.create = create  # type: ignore[method-assign]
    respec(driver, exportID={"name": "others"})
    await fresh(driver).rest()

    assert list(exports.objects) == [("ConfigMap", "others")]


async def test_somebody_elses_is_not_touched(driver: Driver, exports: MemoryExports) -> None:
    theirs = Export("u", "1", (), {"model_id": "theirs"})
    exports.objects[IDS] = theirs
    respec(driver, exportID=PLACE)
    await driver.until(lambda _: driver.condition("Synced")[1] == "Conflict")
    assert driver.condition("Ready") == ("False", "Conflict")
    assert driver.condition("Stalled") == ("True", "Conflict")
    respec(driver, exportID=None)
    await driver.rest()

    assert exports.objects == {IDS: theirs}
    assert exports.writes == []
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_it_goes_on_when_the_place_is_free(driver: Driver, exports: MemoryExports) -> None:
    exports.objects[IDS] = Export("u", "1", (Owner("RemoteModel", "another", "v"),), {})
    respec(driver, exportID=PLACE)
    await driver.until(lambda _: driver.condition("Synced")[1] == "Conflict")
    assert "RemoteModel another" in driver.message("Synced")
    writes = len(driver.stage.store.writes)
    await driver.spend(300)
    assert len(driver.stage.store.writes) == writes
    exports.objects.clear()
    await driver.rest(within=60)

    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_the_place_of_a_deleted_namesake_is_waited_for(driver: Driver, exports: MemoryExports) -> None:
    exports.objects[IDS] = Export("u", "1", (Owner("RemoteModel", "model", "an-older-uid"),), {})
    respec(driver, exportID=PLACE)
    await driver.until(lambda _: driver.condition("Synced")[1] == "Conflict")

    assert driver.condition("Stalled") == ("", "")
    assert driver.condition("Reconciling")[0] == "True"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KubernetesForbiddenError("create secrets: 403"), "PermissionDenied"),
        (OperatorError("create secrets: 422"), "Rejected"),
    ],
)
async def test_what_kubernetes_refuses_is_said(
    driver: Driver, exports: MemoryExports, error: Exception, reason: str
) -> None:
    respec(driver, exportID=SECRET)
    exports.failures.append(error)
    await driver.until(lambda _: driver.condition("Synced")[1] == reason)
    assert str(error) in driver.message("Synced")
    assert ("rbac.exportToSecrets" in driver.message("Synced")) == (reason == "PermissionDenied")
    await driver.rest(within=60)

    assert held(exports) == {("Secret", "ids"): {"model_id": driver.status["id"]}}


async def test_a_lost_race_is_run_again(driver: Driver, exports: MemoryExports) -> None:
    respec(driver, exportID=PLACE)
    exports.failures.append(StatusConflictError("there is one by now"))
    with pytest.raises(StatusConflictError):
        await driver.rest()
    await driver.rest()

    assert exports.writes == ["create"]
