"""`report` against both fakes: everything that helps is in the bundle, and no credential."""

from __future__ import annotations

import base64
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from component.conftest import Stage
from opensearch_ml_operator import __version__
from opensearch_ml_operator.cli.exits import Exit
from support.command_line import Ran, run
from support.eventually import eventually
from support.fake_kube.faults import Fault
from support.scene import CONNECTORS, GROUPS, MODELS, Scene, connector_spec

from .test_cli_looks import install

CANARY = "Canary-7f3a-"
USERS = {"admin": f"{CANARY}of-the-connection"}
KEY, INLINE = f"{CANARY}of-the-connector", f"{CANARY}in-the-open"


async def report(file: Path | str, *arguments: str) -> Ran:
    environ = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    return await run("report", "--file", file, *arguments, environ=environ)


def opened(data: bytes) -> dict[str, bytes]:
    """Return what is in a bundle, by name."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {entry.name.partition("/")[2]: archive.extractfile(entry) for entry in archive}
        return {name: file.read() for name, file in files.items() if file is not None}


async def scene(stage: Stage) -> Scene:
    """Set a scene in which secrets turn up wherever they can."""
    world = await stage(version="2.19.1", users=USERS)
    install(world, f"operator:{__version__}", availableReplicas=1)
    world.secret("main-login", username="admin", password=USERS["admin"])
    world.secret("key", token=KEY)
    spec: dict[str, Any] = {"endpoints": [world.ml.url], "timeout": {"connect": "1m", "read": "5m"}}
    spec["auth"] = {"basic": {"secretRef": {"name": "main-login"}}}
    world.create("opensearchconnections", "main", spec)
    world.group(description=f"use {KEY}")
    applied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"a": "{INLINE}"}}'}
    body = {"metadata": {"name": "connector", "annotations": applied}, "spec": connector_spec()}
    body["spec"]["parameters"] |= {"api_key": INLINE}
    body["spec"]["credentials"].append({"name": "role", "value": INLINE})
    world.kube.create(CONNECTORS, body, "team")
    world.model()
    labels = {"app.kubernetes.io/name": "opensearch-ml-operator"}
    pod = {
        "metadata": {"name": "operator-1", "labels": labels},
        "spec": {"containers": [{"name": "operator", "env": [{"name": "A_TOKEN", "value": INLINE}]}]},
        "status": {"containerStatuses": [{"restartCount": 1}]},
    }
    world.kube.create("pods", pod, "ops")
    coded = base64.b64encode(USERS["admin"].encode()).decode()
    world.kube.logs["operator-1"] = f"started\nsent {KEY} as admin:{USERS['admin']}, {coded}\n"
    await world.ready(seconds=60)
    world.edit(MODELS, "model", description="another one")
    await eventually(lambda: any(each["reason"] == "Updated" for each in world.kube.events))
    await world.quiet(seconds=60)
    return world


async def test_the_bundle_has_what_helps_and_no_credential(stage: Stage, tmp_path: Path) -> None:
    world = await scene(stage)
    writes = world.writes()
    file = tmp_path / "bundle.tar.gz"
    ran = await report(file, "-A")
    assert ran.code == Exit.OK, ran.err
    files = opened(file.read_bytes())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {
        "README.txt",
        "doctor.json",
        "events.json",
        "missing.txt",
        "objects/mlconnectors.json",
        "objects/remotemodels.json",
        "operator/deployments.json",
        "operator/operator-1.log",
        "operator/operator-1-previous.log",
        "operator/pods.json",
    } <= files.keys()
    for name, data in files.items():
        for secret in (USERS["admin"], KEY, INLINE):
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                assert form.encode() not in data, name
    assert b"started" in files["operator/operator-1.log"]
    assert b'"DEPLOYED"' in files["objects/remotemodels.json"]
    assert b'"Updated"' in files["events.json"]
    assert b'"rights"' in files["doctor.json"]
    assert b"managedFields" not in files["objects/mlconnectors.json"]
    assert files["missing.txt"] == b""
    assert world.writes() == writes


async def test_what_may_not_be_read_is_left_out_and_said(
    stage: Stage, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    world = await scene(stage)
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("list", GROUPS)):
        world.kube.fail(Fault(verb=verb, resource=resource, status=403, times=-1))
    ran = await report("-", "-n", "team")
    assert ran.code == Exit.OK, ran.err
    files = opened(capsysbinary.readouterr().out)
    missing = files["missing.txt"].decode()
    assert all(word in missing for word in ("get secrets 'key'", "list pods", "list mlmodelgroups"))
    assert f"not in it: {missing.splitlines()[0]}" in ran.err
    assert f"objects/{GROUPS}.json" not in files
    for name, data in files.items():
        assert INLINE.encode() not in data, name
