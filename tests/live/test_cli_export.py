"""`export` on a real server: 50 objects made by hand are adopted, and no request changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from opensearch_ml_operator.cli.exits import Exit
from stack.operator_process import OperatorProcess
from support.command_line import Ran, run
from support.live_kube import is_ready
from support.live_remote import KINDS, ML
from support.live_sets import KEY
from support.live_stage import Stage
from support.live_waiting import until

from .test_operator_holding import SET, effects

GROUPS, CONNECTORS, MODELS = 14, 14, 22
BELOW = 5
"""Of so many models one has a connector of its own, and the next one is not deployed."""


class Hand:
    """A person with curl."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.client = stage, stage.remote.client
        self.name = f"{stage.kube.namespace} by hand"

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.post(f"{ML}/{path}", json=body).raise_for_status().json()
        return answer

    def connector(self, number: int) -> dict[str, Any]:
        action = {
            "action_type": "predict",
            "method": "POST",
            "url": self.stage.sets.url,
            "headers": {"Authorization": "Bearer ${credential.key}"},
            "request_body": '{"input": ${parameters.input}}',
        }
        return {
            "name": f"{self.name} {number}",
            "description": "Made by hand",
            "version": 1 + number % 2,
            "protocol": "http",
            "parameters": {"model": "small", "number": number},
            "credential": {"key": KEY},
            "actions": [action],
            "client_config": {"max_connection": 20, "read_timeout": 15},
        }

    def everything(self) -> None:
        """Make groups, connectors and models of several forms."""
        groups = [
            self.post("model_groups/_register", {"name": f"{self.name} {n}"})["model_group_id"]
            for n in range(GROUPS)
        ]
        connectors = [
            self.post("connectors/_create", self.connector(n))["connector_id"] for n in range(CONNECTORS)
        ]
        for n in range(MODELS):
            own = n % BELOW == 0
            model = {
                "name": f"{self.name} {n}",
                "description": "Made by hand",
                "function_name": "remote",
                "model_group_id": groups[n % GROUPS],
                **({"connector": self.connector(n)} if own else {"connector_id": connectors[n % CONNECTORS]}),
                **({"rate_limiter": {"limit": "100", "unit": "MINUTES"}} if n % 3 == 0 else {}),
            }
            deploy = str(n % BELOW != 1).lower()
            self.post(f"models/_register?deploy={deploy}", model)
        settled = {"DEPLOYED", "REGISTERED"}
        until(lambda: {each["model_state"] for each in self.found()["models"].values()} <= settled)

    def found(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return all of it, by kind and id."""
        return {kind: self.stage.remote.find(kind, self.name) for kind in KINDS}

    def clear(self) -> None:
        """Undeploy and delete everything."""
        for kind, objects in self.found().items():
            for id_ in objects:
                if kind == "models":
                    self.client.post(f"{ML}/models/{id_}/_undeploy")
                address = f"{ML}/{kind}/{id_}"
                until(lambda: self.client.delete(address).status_code == httpx.codes.OK)  # noqa: B023 - used at once


@pytest.fixture
def hand(stage: Stage) -> Iterator[Hand]:
    made = Hand(stage)
    try:
        made.everything()
        yield made
    finally:
        stage.kube.delete_all()
        made.clear()


async def export(stage: Stage, hand: Hand) -> Ran:
    environ = {"KUBECONFIG": str(stage.stack.control_plane.kubeconfig)}
    arguments = ("main", "--match", f"^{hand.name}", "-n", stage.kube.namespace, "-o", "json")
    return await run("export", *arguments, environ=environ)


@pytest.mark.exhaustive
async def test_fifty_objects_are_adopted_without_a_change(
    stage: Stage, operator: OperatorProcess, hand: Hand
) -> None:
    stage.connect()
    before, sent = hand.found(), effects(operator, stage)
    ran = await export(stage, hand)
    assert ran.code == Exit.OK, ran.err
    assert KEY not in ran.out + ran.err
    items = ran.document["items"]
    for item in items:
        if item["kind"] == "Secret":
            item["stringData"] = dict.fromkeys(item["stringData"], KEY)
    stage.kube.apply_at_once(*items)

    def objects() -> list[dict[str, Any]]:
        return [each for kind in SET for each in stage.kube.list(kind)]

    def waiting() -> list[dict[str, Any]]:
        return [each for each in objects() if not is_ready(each)]

    until(lambda: not waiting(), seconds=120, told=waiting)
    adopted = [each["status"]["id"] for each in objects() if each["status"]["origin"] == "Adopted"]
    assert len(adopted) == len(objects()) == GROUPS + CONNECTORS + MODELS == 50
    assert set(adopted) == {id_ for kind in before.values() for id_ in kind}
    assert effects(operator, stage) == sent
    assert hand.found() == before

    ran = await export(stage, hand)
    assert ran.document["items"] == []
    assert "managed already: 50" in ran.err
