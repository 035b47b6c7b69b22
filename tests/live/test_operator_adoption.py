"""Objects made by hand: taken over without a write, kept as the spec says, and left at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from stack import versions
from stack.operator_process import OperatorProcess
from support.live_kube import condition
from support.live_metrics import opensearch_requests
from support.live_remote import ML
from support.live_sets import KEY
from support.live_stage import Stage
from support.live_waiting import until

from .test_operator_holding import SET, effects, pending

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
READS = 9
"""Requests until a whole set has been adopted by id."""


@pytest.fixture
def by_hand(stage: Stage) -> Iterator[dict[str, str]]:
    """Make a group, a connector and a deployed model by REST, as the operator's own user."""
    sets = stage.sets
    name = f"{stage.kube.namespace} by hand"
    user = (sets.username, sets.password) if sets.secured else (None, None)
    with sets.node.client(*user) as client:

        def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = client.post(f"{ML}/{path}", json=body).raise_for_status().json()
            return answer

        group: dict[str, Any] = {"name": name, "description": "Made by hand"}
        if sets.secured:
            group["access_mode"] = "public"
        made = {"MLModelGroup": post("model_groups/_register", group)["model_group_id"]}
        action = {
            "action_type": "predict",
            "method": "POST",
            "url": sets.url,
            "headers": {"Authorization": "Bearer ${credential.key}"},
            "request_body": '{"input": ${parameters.input}}',
        }
        connector = {
            "name": name,
            "description": "Made by hand",
            "version": "1",
            "protocol": "http",
            "parameters": {"model": "small"},
            "credential": {"key": KEY},
            "actions": [action],
        }
        made["MLConnector"] = post("connectors/_create", connector)["connector_id"]
        model = {
            "name": name,
            "description": "Made by hand",
            "function_name": "remote",
            "connector_id": made["MLConnector"],
            "model_group_id": made["MLModelGroup"],
        }
        made["RemoteModel"] = post("models/_register?deploy=true", model)["model_id"]
        path = f"{ML}/models/{made['RemoteModel']}"
        until(lambda: client.get(path).json()["model_state"] == "DEPLOYED")
        yield made
        stage.kube.delete_all()
        client.post(f"{path}/_undeploy")
        until(lambda: client.delete(path).status_code == httpx.codes.OK)
        for kind, plural in (("MLConnector", "connectors"), ("MLModelGroup", "model_groups")):
            address = f"{ML}/{plural}/{made[kind]}"
            until(lambda: client.delete(address).status_code == httpx.codes.OK)  # noqa: B023 - used at once


def documents(stage: Stage, adopt: dict[str, Any], **spec: Any) -> list[dict[str, Any]]:
    """Return a set that adopts what was made by hand; name and group are left as they are."""
    connector = stage.sets.connector("one", parameters={"model": "small"}, adopt=adopt["MLConnector"], **spec)
    group = stage.sets.group("one", adopt=adopt["MLModelGroup"], **spec)
    model = stage.sets.model("one", adopt=adopt["RemoteModel"], **spec)
    for document in (connector, group, model):
        del document["spec"]["name"]
    del model["spec"]["modelGroupRef"]
    return [group, connector, model]


@both
def test_adopted_by_id_without_a_write_and_left_at_the_end(
    stage: Stage, operator: OperatorProcess, by_hand: dict[str, str]
) -> None:
    stage.connect()
    before = opensearch_requests(operator, stage.kube.namespace)
    document = stage.remote.get("models", by_hand["RemoteModel"])
    stage.kube.apply(*documents(stage, {kind: {"id": id_} for kind, id_ in by_hand.items()}))
    assert stage.ready("one") == by_hand["RemoteModel"]
    sent = opensearch_requests(operator, stage.kube.namespace) - before
    assert sum(effects(operator, stage).values()) == 0, sent
    assert sent.total() <= READS, sent
    for kind in SET:
        status = stage.kube.get(kind, "one")["status"]
        assert (status["id"], status["origin"]) == (by_hand[kind], "Adopted")
    assert stage.remote.get("models", by_hand["RemoteModel"]) == document

    stage.kube.patch("MLConnector", "one", {"spec": {"parameters": {"model": "large"}}})
    message = stage.kube.until_reason("MLConnector", "one", "Rejected")
    assert by_hand["RemoteModel"] in message
    assert pending(stage.kube.get("MLConnector", "one")) == {"parameters.model": ("small", "large")}
    stage.kube.patch("RemoteModel", "one", {"spec": {"enabled": False}})
    until(lambda: (stage.remote.get("models", by_hand["RemoteModel"]) or {}).get("is_enabled") is False)
    stage.kube.patch("RemoteModel", "one", {"spec": {"enabled": True}})
    stage.kube.until_ready("RemoteModel", "one")

    stage.kube.delete_all()
    assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
    assert stage.remote.predict(by_hand["RemoteModel"]).status_code == httpx.codes.OK
    assert "create-connector" not in effects(operator, stage)


@both
def test_adopted_by_name_after_a_look(
    stage: Stage, operator: OperatorProcess, by_hand: dict[str, str]
) -> None:
    stage.connect()
    adopt = {"name": f"{stage.kube.namespace} by hand"}
    whole = documents(stage, dict.fromkeys(SET, adopt), managementPolicy="Observe")
    whole[0]["spec"]["description"] = "Ours now"
    whole[2]["spec"]["deploySetting"] = {"autoDeployEnabled": False}
    stage.kube.apply(*whole)
    stage.kube.until_ready("MLConnector", "one")
    wanted = {
        "MLModelGroup": {"description": ("Made by hand", "Ours now")},
        "RemoteModel": {"deploy_setting.is_auto_deploy_enabled": ("true", "false")},
    }
    for kind, changes in wanted.items():
        stage.kube.until_reason(kind, "one", "DriftDetected")
        found = stage.kube.get(kind, "one")
        assert pending(found) == changes
        assert condition(found, "Stalled")["status"] == "True"
    assert sum(effects(operator, stage).values()) == 0

    for kind in SET:
        stage.kube.patch(kind, "one", {"spec": {"managementPolicy": "Manage"}})
    assert stage.ready("one") == by_hand["RemoteModel"]
    group = stage.remote.get("model_groups", by_hand["MLModelGroup"])
    assert group is not None
    assert group["description"] == "Ours now"

    other = stage.sets.group("two", adopt=adopt)
    del other["spec"]["name"]
    stage.kube.apply(other)
    assert "one" in stage.kube.until_reason("MLModelGroup", "two", "Conflict")
    stage.kube.delete_all()
    assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
