"""Objects that were there before: taken over as they are, by id or by name, and never replaced."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest

from support import traps
from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Body, Scene
from support.traps import When

from .conftest import Stage
from .test_holding import effects, paths

HOWS: Final = ("id", "name")


async def abandoned(world: Scene) -> dict[str, str]:
    """Make a whole set that no resource belongs to any more, and return the ids by kind."""
    world.everything()
    await world.ready()
    for plural, name in ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model")):
        world.edit(plural, name, deletionPolicy="Retain")
    world.delete_everything()
    await world.gone()
    assert world.remote() == (1, 1, 1)
    world.connection()
    await world.ready()
    world.ml.requests.clear()
    remote = {"group": world.ml.groups, "connector": world.ml.connectors, "model": world.ml.models}
    return {kind: next(iter(docs)) for kind, docs in remote.items()}


def adopt(how: str, id_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"adopt": {how: id_ if how == "id" else name, **more}}


def adopting_model(world: Scene, ids: dict[str, str], name: str = "mine", **spec: Any) -> None:
    """Create a RemoteModel that adopts the model of the set."""
    whole = {"connectorRef": None, "connectorID": ids["connector"], "modelGroupRef": None, **spec}
    world.model(name, **{"connectionRef": {"name": "main"}, **adopt("id", ids["model"], "model"), **whole})


@pytest.mark.parametrize("how", HOWS)
async def test_a_connector_with_its_model_is_taken_over_without_one_write(world: Scene, how: str) -> None:
    ids = await abandoned(world)
    before = copy.deepcopy((dict(world.ml.connectors), dict(world.ml.models)))
    world.connector("mine", **adopt(how, ids["connector"], "connector"))
    adopting_model(world, ids, connectorID=None, connectorRef={"name": "mine"}, connectionRef=None)
    await world.ready()
    await world.quiet()
    status = world.status(CONNECTORS, "mine")
    assert (status["id"], status["origin"]) == (ids["connector"], "Adopted")
    assert effects(world) == []
    assert (dict(world.ml.connectors), dict(world.ml.models)) == before

    world.edit(CONNECTORS, "mine", parameters={"model": "large"})
    condition = await world.becomes(CONNECTORS, "mine", "Synced", "Rejected")
    assert ids["model"] in condition["message"]
    assert paths(world, CONNECTORS, "mine") == {"parameters.model": ("small", "large")}
    assert world.condition(CONNECTORS, "mine", "Stalled")["status"] == "True"
    world.edit(MODELS, "mine", deploy=False)
    await eventually(lambda: world.ml.models[ids["model"]]["model_state"] == "UNDEPLOYED")
    world.look_again(CONNECTORS, "mine")
    await eventually(lambda: world.is_ready(CONNECTORS, "mine"))
    assert world.ml.connectors[ids["connector"]]["parameters"] == {"model": "large"}
    for plural in (MODELS, CONNECTORS):
        world.delete(plural, "mine")
        await eventually(lambda: not world.kube.objects(plural))  # noqa: B023 - used at once
    assert world.remote() == (1, 1, 1)


@pytest.mark.parametrize("how", HOWS)
async def test_what_is_as_the_spec_says_is_taken_over_without_one_write(world: Scene, how: str) -> None:
    ids = await abandoned(world)
    before = copy.deepcopy((dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)))
    world.kube.reset_counts()
    world.group("mine", **adopt(how, ids["group"], "group"))
    adopting_model(world, ids, **adopt(how, ids["model"], "model"))
    await world.ready()
    await world.quiet()
    assert effects(world) == []
    assert (dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)) == before
    for plural, kind in ((GROUPS, "group"), (MODELS, "model")):
        assert world.status(plural, "mine")["id"] == ids[kind]
        assert world.status(plural, "mine")["origin"] == "Adopted"
        assert world.writes()[plural] <= 3, world.writes()
    assert world.status(MODELS, "mine")["modelGroupID"] == ids["group"]
    await world.operator.crash()
    world.kube.reset_counts()
    await world.operator.start()
    await eventually(lambda: world.ml.count("get-info") >= 3, seconds=30)
    assert {plural: number for plural, number in world.writes().items() if plural != CONNECTIONS} == {}

    for plural in (GROUPS, MODELS):
        world.delete(plural, "mine")
        await eventually(lambda: not world.kube.objects(plural))  # noqa: B023 - used at once
    assert effects(world) == []
    assert (dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)) == before


async def test_changes_go_in_place_and_to_the_end(world: Scene) -> None:
    ids = await abandoned(world)
    spec = {"connectionRef": {"name": "main"}, "name": "renamed", "description": "Mine"}
    world.create(GROUPS, "mine", {**spec, **adopt("id", ids["group"], "")})
    adopting_model(world, ids, description="Mine too", enabled=False, deploy=False)
    await world.ready()
    group, model = world.ml.groups[ids["group"]], world.ml.models[ids["model"]]
    assert (group["name"], group["description"]) == ("renamed", "Mine")
    assert (model["name"], model["description"], model["is_enabled"]) == ("model", "Mine too", False)
    await eventually(lambda: model["model_state"] == "UNDEPLOYED")
    assert world.remote() == (1, 1, 1)
    for plural in (MODELS, GROUPS):
        world.edit(plural, "mine", deletionPolicy="Delete")
        world.delete(plural, "mine")
        await eventually(lambda: not world.kube.objects(plural))  # noqa: B023 - used at once
    assert world.remote() == (0, 1, 0)


async def test_only_looked_at_then_taken_over(world: Scene) -> None:
    ids = await abandoned(world)
    del world.ml.cluster.loaded[ids["model"]]
    world.ml.models[ids["model"]] |= {"model_state": "UNDEPLOYED", "current_worker_node_count": 0}
    adopting_model(world, ids, enabled=False, managementPolicy="Observe")
    differs = {"is_enabled": ("true", "false"), "model_state": ("UNDEPLOYED", "DEPLOYED")}
    await world.becomes(MODELS, "mine", "Synced", "DriftDetected")
    await eventually(lambda: paths(world, MODELS, "mine") == differs)
    assert effects(world) == []
    world.edit(MODELS, "mine", managementPolicy="Manage")
    await world.ready()
    assert world.ml.models[ids["model"]]["is_enabled"] is False
    assert world.ml.models[ids["model"]]["model_state"] == "DEPLOYED"
    assert world.remote() == (1, 1, 1)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kind", ["group", "model"])
async def test_what_is_missing_is_said_and_created_only_by_choice(world: Scene, kind: str, how: str) -> None:
    ids = await abandoned(world)
    plural = {"group": GROUPS, "model": MODELS}[kind]
    if kind == "group":
        world.group("mine", **adopt(how, "nobody", "nobody"))
    else:
        adopting_model(world, ids, **adopt(how, "nobody", "nobody"))
    condition = await world.becomes(plural, "mine", "Synced", "Rejected")
    assert "nobody" in condition["message"]
    assert "ifMissing" in condition["message"]
    assert effects(world) == []
    world.edit(plural, "mine", adopt={how: "nobody", "ifMissing": "Create"})
    await world.ready()
    status = world.status(plural, "mine")
    assert status["origin"] == "Created"
    assert status["id"] not in ids.values()
    world.delete(plural, "mine")
    await eventually(lambda: not world.kube.objects(plural))
    assert world.remote() == (1, 1, 1)


async def test_several_of_one_name_are_listed(world: Scene) -> None:
    ids = await abandoned(world)
    world.ml.models["twin"] = {**world.ml.models[ids["model"]], "description": ""}
    adopting_model(world, ids, **adopt("name", "", "model"))
    condition = await world.becomes(MODELS, "mine", "Synced", "AmbiguousMatch")
    assert "twin" in condition["message"]
    assert ids["model"] in condition["message"]
    world.edit(MODELS, "mine", adopt={"id": "twin", "name": None})
    await eventually(lambda: world.status(MODELS, "mine").get("id") == "twin")


async def test_a_local_model_is_not_adopted(world: Scene) -> None:
    ids = await abandoned(world)
    world.ml.models[ids["model"]]["algorithm"] = "TEXT_EMBEDDING"
    adopting_model(world, ids)
    condition = await world.becomes(MODELS, "mine", "Synced", "Rejected")
    assert "TEXT_EMBEDDING" in condition["message"]


@pytest.mark.parametrize("how", HOWS)
async def test_of_two_that_adopt_one_the_older_gets_it(world: Scene, how: str) -> None:
    ids = await abandoned(world)
    world.group("first", **adopt(how, ids["group"], "group"))
    await world.ready()
    world.group("second", **adopt(how, ids["group"], "group"))
    condition = await world.becomes(GROUPS, "second", "Synced", "Conflict")
    assert "first" in condition["message"]
    assert "id" not in world.status(GROUPS, "second")
    world.delete(GROUPS, "first")
    await eventually(lambda: world.is_ready(GROUPS, "second"), seconds=20)
    assert world.status(GROUPS, "second")["id"] == ids["group"]
    assert world.remote() == (1, 1, 1)


async def test_of_two_at_once_the_older_gets_it(world: Scene) -> None:
    ids = await abandoned(world)
    await world.operator.crash()
    for name in ("first", "second", "third"):
        world.group(name, **adopt("id", ids["group"], ""))
    await world.operator.start()
    ages = sorted(
        (body["metadata"]["creationTimestamp"], body["metadata"]["uid"], body["metadata"]["name"])
        for body in world.kube.objects(GROUPS)
    )
    oldest, *others = (name for _, _, name in ages)
    await eventually(lambda: world.is_ready(GROUPS, oldest), seconds=20)
    for name in others:
        await world.becomes(GROUPS, name, "Synced", "Conflict")


async def test_two_that_have_one_on_record_do_not_both_act_on_it(world: Scene) -> None:
    """Two workers may adopt at the same moment: then the younger one gives way, and deletes nothing."""
    ids = await abandoned(world)
    world.group("older", **adopt("id", ids["group"], ""))
    await world.ready()
    await world.quiet()  # of two that were created in one second, which is the older one is chance
    await world.operator.crash()
    spec = {"connectionRef": {"name": "main"}, "name": "other", **adopt("id", ids["group"], "")}
    world.create(GROUPS, "younger", {**spec, "deletionPolicy": "Delete"})
    status = {**world.status(GROUPS, "older"), "conditions": []}
    world.kube.patch(GROUPS, "younger", {"status": status}, world.namespace, subresource="status")
    await world.operator.start()
    await world.becomes(GROUPS, "younger", "Synced", "Conflict")
    assert world.ml.groups[ids["group"]]["name"] == "group"
    world.delete(GROUPS, "younger")
    await eventually(lambda: world.kube.get(GROUPS, "younger", world.namespace) is None)
    assert ids["group"] in world.ml.groups


async def test_the_maker_of_an_object_keeps_it_from_who_has_adopted_it_by_mistake(world: Scene) -> None:
    """As may happen when an operator starts and does not know all resources yet."""
    await world.operator.crash()
    world.connection()
    world.group("thief", description="Stolen", **adopt("name", "", "group"))
    world.group("group", description="Made")
    await world.operator.start()
    await eventually(lambda: world.is_ready(GROUPS, "group"))
    await world.operator.crash()
    status = {"id": world.status(GROUPS, "group")["id"], "origin": "Adopted"}
    world.kube.patch(GROUPS, "thief", {"status": status}, world.namespace, subresource="status")
    await world.operator.start()
    await world.becomes(GROUPS, "thief", "Synced", "Conflict")
    (group,) = world.ml.groups.values()
    assert group["description"].startswith("Made ")


async def test_what_another_resource_has_made_is_not_taken(world: Scene) -> None:
    world.everything()
    await world.ready()
    id_ = world.status(GROUPS, "group")["id"]
    world.group("thief", **adopt("name", "", "group"))
    condition = await world.becomes(GROUPS, "thief", "Synced", "NotOwned")
    assert "group" in condition["message"]
    world.edit(GROUPS, "thief", adopt={"id": id_, "name": None})
    await world.quiet()
    assert world.condition(GROUPS, "thief", "Synced")["reason"] == "NotOwned"


async def test_the_group_of_a_model_is_not_taken_either(world: Scene) -> None:
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.connector()
    world.model(modelGroupRef=None)
    await world.ready()
    world.group("thief", **adopt("id", next(iter(world.ml.groups)), ""))
    condition = await world.becomes(GROUPS, "thief", "Synced", "NotOwned")
    assert "RemoteModel" in condition["message"]


@pytest.mark.parametrize("how", HOWS)
async def test_deleted_by_others_it_is_not_made_again_unless_someone_says_so(world: Scene, how: str) -> None:
    ids = await abandoned(world)
    adopting_model(world, ids, **adopt(how, ids["model"], "model"))
    await world.ready()
    world.ml.cluster.loaded.clear()
    del world.ml.models[ids["model"]]
    world.look_again(MODELS, "mine")
    await world.becomes(MODELS, "mine", "Synced", "Rejected")
    await world.quiet()
    assert world.remote() == (1, 1, 0)
    world.edit(MODELS, "mine", adopt=None)
    await world.ready()
    assert world.status(MODELS, "mine")["origin"] == "Created"
    assert len(world.ml.models) == 1
    assert world.status(MODELS, "mine")["id"] != ids["model"]


async def test_another_id_is_refused_while_the_first_object_is_there(world: Scene) -> None:
    ids = await abandoned(world)
    world.ml.models["twin"] = {**world.ml.models[ids["model"]], "description": ""}
    adopting_model(world, ids)
    await world.ready()
    world.edit(MODELS, "mine", adopt={"id": "twin"})
    condition = await world.becomes(MODELS, "mine", "Synced", "Rejected")
    assert "twin" in condition["message"]
    assert world.status(MODELS, "mine")["id"] == ids["model"]
    world.ml.cluster.loaded.clear()
    del world.ml.models[ids["model"]]
    world.look_again(MODELS, "mine")
    await eventually(lambda: world.status(MODELS, "mine").get("id") == "twin")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2])
async def test_a_crash_around_the_record_of_an_adoption(world: Scene, write: int, when: When) -> None:
    ids = await abandoned(world)
    trap = traps.set_for_kube(world.kube, resource=MODELS, subresource="status", occurrence=write, when=when)
    adopting_model(world, ids)
    await eventually(trap.reached.is_set, seconds=20)
    await world.operator.crash()
    trap.release()
    await world.operator.start()
    await world.ready(seconds=20)
    assert world.status(MODELS, "mine")["id"] == ids["model"]
    assert effects(world) == []
    assert world.remote() == (1, 1, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["create-group", "register-model"])
async def test_a_crash_when_the_missing_one_is_created(stage: Stage, operation: str, when: When) -> None:
    world = await stage()
    world.everything()
    spec: Body = {"adopt": {"name": "none-such", "ifMissing": "Create"}}
    world.edit(GROUPS, "group", **spec)
    world.edit(MODELS, "model", **spec)
    trap = traps.set_for_opensearch(world.ml, operation, when=when)
    await eventually(trap.reached.is_set, seconds=20)
    await world.operator.crash()
    trap.release()
    await world.operator.start()
    await world.ready(seconds=30)
    await world.quiet()
    world.check_one_each()
    assert world.status(MODELS, "model")["origin"] == "Created"
    world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left


async def test_a_refused_adoption_releases_nothing_it_never_had(world: Scene) -> None:
    world.everything()
    await world.ready()
    world.group("thief", deletionPolicy="Delete", **adopt("name", "", "group"))
    await world.becomes(GROUPS, "thief", "Synced", "NotOwned")
    world.delete(GROUPS, "thief")
    await eventually(lambda: world.kube.get(GROUPS, "thief", world.namespace) is None)
    world.check_one_each()
