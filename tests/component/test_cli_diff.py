"""`diff`, `suspend` and `resume` against both fakes: what differs is shown, and nothing is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from component.conftest import Stage
from opensearch_ml_operator.cli.exits import Exit
from opensearch_ml_operator.constants import API_VERSION, DELETE_ORPHANS_ANNOTATION
from opensearch_ml_operator.reconcilers.creation.protocol import Role, imprint, marker
from support.command_line import Ran, run
from support.eventually import eventually
from support.fake_kube.faults import Fault
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene, connector_spec

from .test_holding import effects

USERS = {"admin": "password-of-admin"}


async def command(*arguments: str | Path) -> Ran:
    return await run(*arguments, "-n", "team", environ={"KUBECONFIG": os.environ["KUBECONFIG"]})


@pytest.fixture
async def rest(stage: Stage) -> Scene:
    """Set a scene with a whole set, whose operator has gone home."""
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    await world.operator.stop()
    world.ml.requests.clear()
    return world


def manifest(folder: Path, kind: str, name: str, spec: dict[str, Any]) -> Path:
    file = folder / f"{name}.json"
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
    file.write_text(json.dumps(body), "utf-8")
    return file


def changes(ran: Ran, name: str) -> dict[str, tuple[str | None, str | None]]:
    (item,) = [each for each in ran.document["items"] if each["name"] == name]
    return {each["path"]: (each.get("from"), each.get("to")) for each in item["changes"]}


async def test_a_set_as_it_should_be_has_no_differences_and_is_not_touched(rest: Scene) -> None:
    writes = rest.writes()
    ran = await command("diff")
    assert ran.code == Exit.OK, ran.out + ran.err
    assert [line.split()[:2] for line in ran.out.splitlines()] == [
        ["✓", "mlgroup/group"],
        ["✓", "mlc/connector"],
        ["✓", "rmodel/model"],
    ]
    assert (rest.writes(), effects(rest)) == (writes, [])


async def test_what_somebody_has_changed_and_the_connection_that_was_asked(rest: Scene) -> None:
    (group,), (connector,), (model,) = (rest.ml.groups, rest.ml.connectors, rest.ml.models)
    rest.ml.groups[group]["description"] = "changed by hand"
    rest.ml.connectors[connector]["parameters"] = {"model": "large"}
    rest.ml.models[model]["is_enabled"] = False
    ran = await command("diff", "-o", "json")
    assert ran.code == Exit.PROBLEMS
    assert changes(ran, "connector") == {"parameters.model": ("large", "small")}
    assert changes(ran, "model") == {"is_enabled": ("false", "true")}
    assert changes(ran, "group")["description"][0] == "changed by hand"
    ran = await command("diff", "mlc/connector")
    assert f"✗ mlc/connector {connector}: Differs from the spec" in ran.out
    assert "    parameters.model: 'large' → 'small'" in ran.out
    assert "rmodel" not in ran.out
    assert effects(rest) == []


async def test_specs_of_files_before_they_are_applied(rest: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    manifest(folder, "MLConnector", "connector", connector_spec(parameters={"model": "large"}))
    manifest(folder, "MLModelGroup", "new", {"connectionRef": {"name": "main"}, "name": "brand new"})
    ran = await command("diff", "-f", folder, "-o", "json")
    assert ran.code == Exit.PROBLEMS
    assert changes(ran, "connector")["parameters.model"] == ("small", "large")
    assert changes(ran, "new")["name"] == (None, "brand new")
    assert [each["differs"] for each in ran.document["items"]] == [True, True]
    assert rest.kube.get(GROUPS, "new", "team") is None
    assert effects(rest) == []


async def test_adoption_in_files_is_tried_in_memory(rest: Scene, tmp_path: Path) -> None:
    (connector,) = rest.ml.connectors
    rest.ml.connectors["by-hand"] = {**rest.ml.connectors[connector], "description": "by hand"}
    spec = connector_spec(adopt={"id": "by-hand"}, parameters={"model": "small"})
    ran = await command("diff", "-f", manifest(tmp_path, "MLConnector", "mine", spec), "-o", "json")
    assert (ran.code, ran.document["items"][0]["id"]) == (Exit.OK, "by-hand"), ran.out


async def test_a_connection_that_deletes_orphans_deletes_none_here(stage: Stage) -> None:
    world = await stage(start=False)
    world.everything()
    world.edit(CONNECTIONS, "main", orphans={"policy": "Delete", "after": "1h"})
    uid = world.get(CONNECTIONS, "main")["metadata"]["uid"]
    mark = f"{marker('0' * 32, Role.GROUP, 1)} {imprint(uid)}"
    world.ml.groups["orphan"] = {"name": "orphan", "description": mark, "created_time": 1}
    world.kube.annotate(CONNECTIONS, "main", {DELETE_ORPHANS_ANNOTATION: "orphan"}, "team")
    ran = await command("diff", "-o", "json")
    assert [each["differs"] for each in ran.document["items"]][:2] == [True, True], ran.out
    assert "orphan" in world.ml.groups
    assert effects(world) == []


@pytest.mark.usefixtures("rest")
async def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    spec = connector_spec(credentials=[{"name": "token", "secretKeyRef": {"name": "none", "key": "k"}}])
    ran = await command("diff", "-f", manifest(tmp_path, "MLConnector", "connector", spec))
    assert ran.code == Exit.PROBLEMS
    assert "… mlc/connector" in ran.out
    assert "SecretNotFound: Secret none does not exist" in ran.out


async def test_without_the_right_to_read_secrets_what_the_operator_saw_is_shown(stage: Stage) -> None:
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    assert (await command("suspend", "mlgroup/group")).code == Exit.OK
    world.edit(GROUPS, "group", description="another")
    await world.becomes(GROUPS, "group", "Synced", "DriftDetected", seconds=60)
    world.kube.fail(Fault(verb="get", resource="secrets", status=403, times=-1))
    ran = await command("diff", "-o", "json")
    assert ran.code == Exit.PROBLEMS
    (group,) = [each for each in ran.document["items"] if each["name"] == "group"]
    assert group["differs"] is None
    assert "get secrets 'main-login'" in group["note"]
    assert "what the operator saw" in group["note"]
    assert [each["path"] for each in group["changes"]] == ["description"]


async def test_suspended_objects_wait_and_resumed_ones_go_on(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("suspend", "rmodel/model", "mlc/connector")
    assert (ran.code, ran.out) == (
        Exit.OK,
        "RemoteModel team/model: suspended\nMLConnector team/connector: suspended\n",
    )
    (model,) = world.ml.models.values()
    world.edit(MODELS, "model", enabled=False)
    await world.becomes(MODELS, "model", "Synced", "DriftDetected", seconds=60)
    assert model.get("is_enabled") is not False
    ran = await command("resume", "rmodel/model", "mlc/connector")
    assert ran.code == Exit.OK
    await eventually(lambda: world.is_ready(MODELS, "model"), seconds=60)
    assert next(iter(world.ml.models.values()))["is_enabled"] is False


async def test_nothing_is_suspended_unless_everything_is_there(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("suspend", "mlc/connector", "rmodel/none")
    assert ran.code == Exit.PROBLEMS
    assert "suspend" not in world.get(CONNECTORS, "connector")["spec"]
    ran = await command("suspend", "osconn/main")
    assert (ran.code, "nothing to suspend" in ran.err) == (Exit.USAGE, True)
