"""A model's id in a ConfigMap or Secret, by way of the real requests to a fake API server."""

from __future__ import annotations

import base64
from typing import Literal

import pytest

from support.eventually import eventually
from support.fake_kube import Fault
from support.scene import MODELS, Scene

from .conftest import Stage


def exported(world: Scene, plural: str, name: str, key: str = "model_id") -> str | None:
    """Return what stands under a key; None when it, or the object, is not there."""
    body = world.kube.get(plural, name, world.namespace)
    value = (body or {}).get("data", {}).get(key)
    return base64.b64decode(value).decode() if value is not None and plural == "secrets" else value


async def test_exporting_costs_one_write_and_none_at_rest(stage: Stage) -> None:
    world = await stage(speed=20.0)
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.group()
    world.connector()
    await world.ready()
    await world.quiet()
    world.kube.reset_counts()
    world.model(exportID={"name": "ids"}, resyncInterval="30s")
    await world.ready()
    await world.quiet()
    assert exported(world, "configmaps", "ids") == world.status(MODELS, "model")["id"]
    assert world.writes()[MODELS] <= 5
    assert world.writes()["configmaps"] == 1
    world.kube.reset_counts()
    await eventually(lambda: world.kube.counts["get", "configmaps", ""] >= 2, seconds=15)
    await world.operator.restart()
    await eventually(lambda: world.kube.counts["get", "configmaps", ""] >= 4, seconds=15)
    await world.quiet()
    assert not {MODELS, "configmaps"} & world.writes().keys()


async def test_it_follows_the_spec_and_the_id(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", exportID={"name": "ids"})
    await world.ready()
    old = world.status(MODELS, "model")["id"]
    world.edit(MODELS, "model", exportID={"kind": "Secret", "name": "hidden", "key": "id"})
    await eventually(lambda: exported(world, "secrets", "hidden", "id") == old)
    assert world.kube.get("configmaps", "ids", world.namespace) is None
    world.ml.cluster.loaded.clear()
    del world.ml.models[old]
    world.look_again(MODELS, "model")
    await eventually(lambda: exported(world, "secrets", "hidden", "id") not in {old, None})
    await world.ready()
    assert exported(world, "secrets", "hidden", "id") == world.status(MODELS, "model")["id"]
    world.edit(MODELS, "model", exportID=None)
    await eventually(lambda: world.kube.get("secrets", "hidden", world.namespace) is None)
    await world.ready()
    assert "export" not in world.status(MODELS, "model")


async def test_two_models_do_not_share_a_place(world: Scene) -> None:
    world.everything()
    world.edit(MODELS, "model", exportID={"name": "ids"})
    await world.ready()
    world.model("second", exportID={"name": "ids"})
    condition = await world.becomes(MODELS, "second", "Synced", "Conflict")
    assert "RemoteModel model" in condition["message"]
    assert exported(world, "configmaps", "ids") == world.status(MODELS, "model")["id"]
    world.edit(MODELS, "model", exportID={"name": "elsewhere"})
    await world.ready()
    assert exported(world, "configmaps", "ids") == world.status(MODELS, "second")["id"]


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
async def test_a_lost_answer_and_a_killed_operator(
    world: Scene, verb: str, cut: Literal["before", "after"]
) -> None:
    world.everything()
    if verb == "create":
        world.kube.fail(Fault(verb="create", resource="configmaps", cut=cut))
    world.edit(MODELS, "model", exportID={"name": "ids"})
    if verb != "create":
        await world.ready()
        world.kube.fail(Fault(verb=verb, resource="configmaps", cut=cut))
        key, name = ("id", "ids") if verb == "patch" else ("model_id", "others")
        world.edit(MODELS, "model", exportID={"name": name, "key": key})
    await eventually(lambda: world.kube.counts[verb, "configmaps", ""] >= 1)
    await world.operator.restart()
    world.edit(MODELS, "model", exportID={"name": "last", "key": "model_id"})
    await eventually(lambda: exported(world, "configmaps", "last") is not None)
    await world.ready()
    await world.quiet()
    assert [body["metadata"]["name"] for body in world.kube.objects("configmaps")] == ["last"]


async def test_a_right_that_is_missing_is_named(world: Scene) -> None:
    world.everything()
    world.kube.fail(Fault(verb="create", resource="secrets", status=403, times=2))
    world.edit(MODELS, "model", exportID={"kind": "Secret", "name": "ids"})
    condition = await world.becomes(MODELS, "model", "Synced", "PermissionDenied")
    assert "create secrets" in condition["message"]
    assert "rbac.exportToSecrets" in condition["message"]
    await world.ready(seconds=30)
    assert exported(world, "secrets", "ids") == world.status(MODELS, "model")["id"]
