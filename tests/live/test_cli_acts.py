"""`render`, `reconcile` and `predict` on real servers."""

from __future__ import annotations

import json
from pathlib import Path

from opensearch_ml_operator.cli.exits import Exit
from support.command_line import run
from support.live_stage import Stage


async def test_a_set_is_rendered_applied_reconciled_and_called(stage: Stage, tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(stage.stack.control_plane.kubeconfig)}
    namespace = ("-n", stage.kube.namespace)
    documents = stage.sets.one_set("one")
    file = tmp_path / "set.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}), "utf-8")
    assert (await run("lint", file, environ={})).code == Exit.OK
    rendered = (await run("render", "-f", file, "-o", "json", environ={})).document

    stage.connect()
    model = stage.perform("one")
    found = stage.remote.get("models", model)
    assert found is not None
    wanted = next(each["body"] for each in rendered if each["path"].endswith("models/_register"))
    assert {key: found[key] for key in ("name", "is_enabled")} == {
        key: wanted[key] for key in ("name", "is_enabled")
    }

    before = stage.kube.versions()
    ran = await run("reconcile", "mlc/one", "rmodel/one", "--wait", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.out
    assert stage.kube.versions().keys() == before.keys()

    ran = await run("predict", "one", "-p", 'input=["hello"]', "-o", "json", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.err
    assert ran.document["answer"]["inference_results"]
