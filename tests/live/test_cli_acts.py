"""`render`, `reconcile`, `predict`, `diff` and `suspend` on real servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opensearch_ml_operator.cli.exits import Exit
from stack import versions
from support.command_line import run
from support.live_stage import Stage


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
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
    assert found["name"] == wanted["name"]

    before = stage.kube.versions()
    ran = await run("reconcile", "mlc/one", "rmodel/one", "--wait", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.out
    assert stage.kube.versions().keys() == before.keys()

    ran = await run("diff", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.out + ran.err
    ran = await run("suspend", "rmodel/one", "mlgroup/one", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.err
    stage.remote.change(model, {"description": "by hand"})
    ran = await run("diff", "rmodel/one", *namespace, environ=environ)
    assert ran.code == Exit.PROBLEMS
    assert "    description: 'by hand' → 'k8sml" in ran.out, ran.out
    ran = await run("resume", "rmodel/one", "mlgroup/one", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.err
    ran = await run("reconcile", "rmodel/one", "--wait", *namespace, environ=environ)
    assert ran.code == Exit.OK, ran.out
    ran = await run("diff", *namespace, "-o", "json", environ=environ)
    assert [each["differs"] for each in ran.document["items"]] == [False, False, False], ran.out

    ran = await run("predict", "one", "-p", 'input=["hello"]', "-o", "json", *namespace, environ=environ)
    if stage.sets.secured:  # the operator's own user may not
        assert (ran.code, model in ran.out) == (Exit.FORBIDDEN, True), ran.err
        return
    assert ran.code == Exit.OK, ran.err
    assert ran.document["answer"]["inference_results"]
