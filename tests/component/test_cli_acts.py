"""`reconcile` and `predict` against both fakes, with the operator between them."""

from __future__ import annotations

import os
from pathlib import Path

from component.conftest import Stage
from opensearch_ml_operator.cli.exits import Exit
from support.command_line import Ran, run
from support.fake_kube.faults import Fault
from support.scene import CONNECTORS, MODELS, Scene

USERS = {"admin": "password-of-admin"}


async def command(*arguments: str | Path) -> Ran:
    return await run(*arguments, "-n", "team", environ={"KUBECONFIG": os.environ["KUBECONFIG"]})


async def test_reconcile_waits_until_the_operator_has_looked(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("reconcile", "rmodel/model", "mlc/connector", "--wait", "--timeout", "60s")
    assert ran.code == Exit.OK, ran.out
    assert ran.out.splitlines()[-1] == "MLConnector team/connector: Ready"
    for plural, name in ((MODELS, "model"), (CONNECTORS, "connector")):
        annotations = world.get(plural, name)["metadata"]["annotations"]
        mark = annotations["opensearchml.io/reconcile-requested-at"]
        assert world.status(plural, name)["lastHandledReconcileAt"] == mark


async def test_reconcile_ends_when_a_person_must_act(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    world.edit(CONNECTORS, "connector", parameters={}, actions=unfixable())
    await world.becomes(CONNECTORS, "connector", "Ready", "InvalidSpec", seconds=60)
    ran = await command("reconcile", "mlc/connector", "--wait", "--timeout", "60s")
    assert ran.code == Exit.PROBLEMS
    assert "InvalidSpec: The host of an action's url must be fixed" in ran.out


def unfixable() -> list[dict[str, str]]:
    return [{"type": "predict", "method": "POST", "url": "https://${parameters.host}/v1"}]


async def test_reconcile_without_an_operator_ends_in_time(stage: Stage) -> None:
    world = await stage(start=False)
    world.everything()
    ran = await command("reconcile", "rmodel/model", "--wait", "--timeout", "600ms")
    assert ran.code == Exit.TIMEOUT
    assert "the operator has not looked yet" in ran.out


async def test_reconcile_of_what_is_not_there_touches_nothing(world: Scene) -> None:
    ran = await command("reconcile", "rmodel/none")
    assert (ran.code, ran.err) == (Exit.PROBLEMS, "error: RemoteModel team/none does not exist\n")
    ran = await command("reconcile", "pod/none")
    assert ran.code == Exit.USAGE
    assert "none of our kinds: osconn" in ran.err
    assert world.writes() == {}


async def test_predict_with_the_identity_of_the_connection(stage: Stage) -> None:
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    ran = await command("predict", "model", "-p", "input=[1]", "-o", "json")
    assert ran.code == Exit.OK, ran.err
    assert ran.document["answer"]["inference_results"]
    (call,) = [each for each in world.ml.requests if each.operation == "predict"]
    assert (call.user, call.body) == ("admin", {"parameters": {"input": "[1]"}})


async def test_predict_without_the_right_to_read_the_secret_says_what_to_call(stage: Stage) -> None:
    world = await stage(version="2.19.1", users=USERS)
    world.everything()
    await world.ready(seconds=60)
    world.kube.fail(Fault(verb="get", resource="secrets", status=403, times=-1))
    ran = await command("predict", "model", "--text", "it's")
    assert ran.code == Exit.FORBIDDEN
    model = world.status(MODELS, "model")["id"]
    assert ran.out.startswith("curl -u USER -X POST")
    assert f"{world.ml.url}/_plugins/_ml/_predict/text_embedding/{model}" in ran.out
    assert world.ml.count("predict") == 0


async def test_predict_of_a_model_with_nothing_to_send(world: Scene) -> None:
    world.everything()
    await world.ready(seconds=60)
    ran = await command("predict", "model")
    assert ran.code == Exit.USAGE
    assert "--text, -p or -f" in ran.err
