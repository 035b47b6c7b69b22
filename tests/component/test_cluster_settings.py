"""Settings of the cluster: set, shared, put back, with the operator stopped and killed in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from support.eventually import eventually
from support.fake_mlcommons.settings import TRUSTED
from support.scene import CONNECTIONS, MODELS, Scene

from .conftest import Stage

SETTINGS = "mlclustersettings"
SWITCH = "plugins.ml_commons.safe_delete_model"
ENTRY, OTHER = "^https://models.example/.*$", "^https://others.example/.*$"


def make(world: Scene, name: str, **spec: Any) -> None:
    world.create(SETTINGS, name, {"connectionRef": {"name": "main"}, "resyncInterval": "30s", **spec})


def stands(world: Scene) -> Mapping[str, Any]:
    return world.ml.cluster.persistent


def younger(world: Scene, name: str) -> bool:
    """Whether what is created now is younger than the object: Kubernetes counts in seconds."""
    world.secret("clock", tick="")
    now = world.get("secrets", "clock")["metadata"]["creationTimestamp"]
    return bool(now > world.get(SETTINGS, name)["metadata"]["creationTimestamp"])


async def test_set_and_put_back_for_few_writes(world: Scene) -> None:
    world.connection()
    await world.ready()
    default = list(world.ml.cluster.defaults[TRUSTED])
    world.kube.reset_counts()
    world.ml.requests.clear()
    make(world, "one", settings={"safe_delete_model": True}, trustedEndpoints={"add": [ENTRY]})
    await world.ready()
    await world.quiet()
    assert stands(world) == {SWITCH: "true", TRUSTED: [*default, ENTRY]}
    assert world.writes() == {SETTINGS: 3}
    assert world.ml.count("put-settings") == 1

    world.delete(SETTINGS, "one")
    await eventually(lambda: world.kube.get(SETTINGS, "one", "team") is None)
    assert stands(world) == {}


@pytest.mark.parametrize("how", ["restart", "crash"])
async def test_at_rest_nothing_is_written_and_drift_is_put_back(stage: Stage, how: str) -> None:
    world = await stage(speed=20.0)
    world.connection()
    make(world, "one", settings={"safe_delete_model": True})
    await world.ready()
    await world.quiet()
    world.kube.reset_counts()
    world.ml.requests.clear()
    if how == "restart":
        await world.operator.stop()
        await world.operator.start()
    else:
        await world.operator.restart()
    await eventually(lambda: world.ml.count("get-info") >= 2, seconds=15)
    await world.quiet()
    assert world.writes() == {}
    assert world.ml.count("put-settings") == 0

    world.ml.cluster.persistent[SWITCH] = "false"
    await eventually(lambda: stands(world) == {SWITCH: "true"}, seconds=15)


async def test_the_first_has_it_and_the_next_takes_over(world: Scene) -> None:
    world.connection()
    await world.ready()
    make(world, "first", settings={"safe_delete_model": True})
    await world.ready()
    await eventually(lambda: younger(world, "first"))
    make(world, "second", settings={SWITCH: False}, trustedEndpoints={"add": [ENTRY]})
    conflict = await world.becomes(SETTINGS, "second", "Synced", "Conflict")
    assert "safe_delete_model by first" in conflict["message"]
    assert stands(world)[SWITCH] == "true"
    await world.operator.restart()
    await world.quiet()
    assert stands(world)[SWITCH] == "true"

    world.delete(SETTINGS, "first")
    await world.ready()
    assert stands(world)[SWITCH] == "false"
    world.delete_everything()
    await world.gone()
    assert stands(world) == {}


async def test_several_add_to_the_list_at_once_and_take_back_only_their_own(world: Scene) -> None:
    stood = ["^https://stood.example/.*$"]
    world.ml.cluster.persistent[TRUSTED] = list(stood)
    world.connection()
    for number in range(5):
        make(world, f"s{number}", trustedEndpoints={"add": [f"^https://m{number}.example/.*$", ENTRY]})
    await world.ready()
    everyone = {*stood, ENTRY, *(f"^https://m{number}.example/.*$" for number in range(5))}
    assert set(stands(world)[TRUSTED]) == everyone
    assert len(stands(world)[TRUSTED]) == len(everyone)

    for number in range(4):
        world.delete(SETTINGS, f"s{number}")
    await eventually(lambda: len(world.kube.objects(SETTINGS)) == 1)
    assert set(stands(world)[TRUSTED]) == {*stood, ENTRY, "^https://m4.example/.*$"}
    world.delete(SETTINGS, "s4")
    await eventually(lambda: not world.kube.objects(SETTINGS))
    assert stands(world) == {TRUSTED: stood}


@pytest.mark.parametrize("how", ["lost", "refused"])
@pytest.mark.parametrize("crash", [False, True])
async def test_a_change_without_an_answer(stage: Stage, how: str, *, crash: bool) -> None:
    world = await stage(speed=20.0)
    world.ml.cluster.persistent[SWITCH] = "false"
    world.connection()
    await world.ready()
    world.ml.fail(
        "put-settings", **({"cut": True, "carried_out": True} if how == "lost" else {"status": 503})
    )
    make(world, "one", settings={"safe_delete_model": True})
    if crash:
        await eventually(lambda: world.ml.count("put-settings") >= 1)
        await world.operator.restart()
    await world.ready()
    assert stands(world) == {SWITCH: "true"}
    assert world.status(SETTINGS, "one")["previous"] == {SWITCH: {"value": "false"}}
    world.delete_everything()
    await world.gone()
    assert stands(world) == {SWITCH: "false"}


async def test_the_connection_stays_until_the_settings_are_put_back(world: Scene) -> None:
    world.connection()
    make(world, "one", settings={"safe_delete_model": True})
    await world.ready()
    await world.ml.stop()
    world.delete(CONNECTIONS, "main")
    world.delete(SETTINGS, "one")
    await world.becomes(SETTINGS, "one", "Deletable", "ConnectionUnavailable")
    assert world.get(CONNECTIONS, "main")
    await world.ml.start()
    await world.gone()
    assert stands(world) == {}


async def test_retain_lets_a_deletion_go_that_cannot_finish(world: Scene) -> None:
    world.connection()
    make(world, "one", settings={"safe_delete_model": True})
    await world.ready()
    await world.ml.stop()
    world.delete(SETTINGS, "one")
    await world.becomes(SETTINGS, "one", "Deletable", "ConnectionUnavailable")
    world.kube.annotate(SETTINGS, "one", {"opensearchml.io/deletion-policy": "Retain"}, "team")
    await eventually(lambda: world.kube.get(SETTINGS, "one", "team") is None)
    assert stands(world) == {SWITCH: "true"}


async def test_bad_input_is_told_and_heals_when_it_is_mended(world: Scene) -> None:
    world.connection()
    await world.ready()
    make(world, "one", settings={"no_such_setting": 1, "safe_delete_model": True})
    refused = await world.becomes(SETTINGS, "one", "Synced", "Rejected")
    assert "[plugins.ml_commons.no_such_setting], not recognized" in refused["message"]
    world.edit(SETTINGS, "one", settings={"no_such_setting": None, "plugins.security.x": 1})
    await world.becomes(SETTINGS, "one", "Synced", "InvalidSpec")
    world.edit(SETTINGS, "one", settings={"plugins.security.x": None}, trustedEndpoints={"add": ["["]})
    await world.becomes(SETTINGS, "one", "Synced", "Rejected")
    assert stands(world) == {}
    world.ml.forbidden.add("put-settings")
    world.edit(SETTINGS, "one", trustedEndpoints=None)
    denied = await world.becomes(SETTINGS, "one", "Synced", "PermissionDenied")
    assert "cluster:admin/settings/update" in denied["message"]
    world.ml.forbidden.clear()
    await world.ready()
    assert stands(world) == {SWITCH: "true"}


async def test_a_connector_that_was_not_trusted_comes_to_life(stage: Stage) -> None:
    world = await stage(trusted=())
    world.everything()
    await world.becomes("mlconnectors", "connector", "Synced", "EndpointNotTrusted")
    make(world, "trust", trustedEndpoints={"add": [r"^http://127\.0\.0\.1:9/.*$"]})
    await world.ready(seconds=30)
    assert world.is_ready(MODELS, "model")
