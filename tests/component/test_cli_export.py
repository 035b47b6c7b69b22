"""`export` against both fakes: what it prints is applied, adopts everything, and changes nothing."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from component.conftest import Stage
from opensearch_ml_operator.cli.cluster import PLURALS
from opensearch_ml_operator.cli.exits import Exit
from support.command_line import Ran, run
from support.eventually import eventually
from support.scene import CONNECTORS, MODELS, URL, Scene

from .test_holding import effects

CANARY = "Canary-7f3a-secret"
ML = "/_plugins/_ml"
ACTION = {
    "action_type": "predict",
    "method": "POST",
    "url": URL,
    "headers": {"Authorization": "Bearer ${credential.key}"},
    "request_body": '{"input": ${parameters.input}}',
}


async def export(*arguments: str | Path) -> Ran:
    environ = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    return await run("export", *arguments, "-n", "team", environ=environ)


@pytest.fixture
async def hand(world: Scene) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.ml.url, trust_env=False) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post(f"{ML}/{path}", json=body)).raise_for_status().json()
    return answer


async def connector(client: httpx.AsyncClient, name: str, **fields: Any) -> str:
    body = {
        "name": name,
        "description": "Made by hand",
        "version": "3",
        "protocol": "http",
        "parameters": {"model": "small", "n": 3},
        "credential": {"key": CANARY},
        "actions": [ACTION],
        **fields,
    }
    return str((await post(client, "connectors/_create", body))["connector_id"])


async def model(client: httpx.AsyncClient, name: str, *, deploy: bool = True, **fields: Any) -> str:
    body = {"name": name, "function_name": "remote", **fields}
    id_ = str((await post(client, "models/_register", body))["model_id"])
    if deploy:
        await post(client, f"models/{id_}/_deploy")
    return id_


def apply(world: Scene, ran: Ran) -> None:
    """Apply what was printed, with the Secrets filled in."""
    for body in ran.document["items"]:
        if body["kind"] == "Secret":
            filled = dict.fromkeys(body["stringData"], CANARY)
            world.kube.create("secrets", {**body, "stringData": filled}, "team")
        else:
            world.kube.create(PLURALS[body["kind"]], body, "team")


async def test_everything_is_adopted_and_nothing_changed(world: Scene, hand: httpx.AsyncClient) -> None:
    group = str((await post(hand, "model_groups/_register", {"name": "Search Models"}))["model_group_id"])
    first, second = await connector(hand, "Embeddings"), await connector(hand, "embeddings!")
    inner = {"name": "inner", "version": "1", "protocol": "http", "actions": [ACTION]}
    limited = {"limit": "5", "unit": "MINUTES"}
    whole: dict[str, Any] = {
        "connector": {**inner, "credential": {"key": CANARY}},
        "deploy_setting": {"model_ttl_minutes": 5},
    }
    ids = {
        await model(hand, "sentences", connector_id=first, model_group_id=group, rate_limiter=limited),
        await model(hand, "resting", deploy=False, connector_id=second, is_enabled=False),
        await model(hand, "Embeddings", model_group_id=group, **whole),
    }
    states = Counter({"DEPLOYED": 2, "REGISTERED": 1})
    await eventually(lambda: Counter(each["model_state"] for each in world.ml.models.values()) == states)
    world.connection()
    await world.ready(seconds=60)
    world.ml.requests.clear()
    before = copy.deepcopy((dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)))

    ran = await export("main", "-o", "json")
    assert ran.code == Exit.OK, ran.err
    assert effects(world) == []
    assert CANARY not in ran.out + ran.err
    names = {(body["kind"], body["metadata"]["name"]) for body in ran.document["items"]}
    assert {
        ("MLConnector", "embeddings"),
        ("MLConnector", "embeddings-2"),
        ("RemoteModel", "embeddings"),
    } < names
    apply(world, ran)
    await world.ready(seconds=60)
    await world.quiet(seconds=60)
    assert effects(world) == []
    assert (dict(world.ml.groups), dict(world.ml.connectors), dict(world.ml.models)) == before
    assert {
        world.status(MODELS, each["metadata"]["name"])["id"] for each in world.kube.objects(MODELS)
    } == ids
    adopted = [
        each for plural in PLURALS.values() for each in world.kube.objects(plural) if each["status"].get("id")
    ]
    assert len(adopted) == sum(world.remote())
    assert {each["status"]["origin"] for each in adopted} == {"Adopted"}

    ran = await export("main", "-o", "json")
    assert (ran.code, ran.document["items"]) == (Exit.OK, [])
    assert f"managed already: {len(adopted)}" in ran.err


async def test_what_would_be_changed_is_only_observed(world: Scene, hand: httpx.AsyncClient) -> None:
    scheme, _, place = URL.partition("://")
    host, _, path = place.partition("/")
    action = {**ACTION, "url": f"{scheme}://${{parameters.host}}/{path}"}
    id_ = await connector(hand, "placeholder", actions=[action], parameters={"host": host})
    await connector(hand, "fixed")
    world.connection()
    await world.ready(seconds=60)
    ran = await export("main", "--match", "place")
    assert ran.code == Exit.PROBLEMS
    assert "only observed" in ran.err
    assert f"#   actions[0].url: '{action['url']}' would become '{URL}'" in ran.out
    assert "managementPolicy: Observe" in ran.out
    assert "# OpenSearch shows no credentials" in ran.out
    assert "fixed" not in ran.out

    world.ml.requests.clear()
    apply(world, await export("main", "-o", "json"))
    await world.becomes(CONNECTORS, "placeholder", "Synced", "DriftDetected", seconds=60)
    assert world.status(CONNECTORS, "placeholder")["id"] == id_
    assert effects(world) == []


async def test_what_is_managed_is_left_out_and_referred_to_by_name(
    world: Scene, hand: httpx.AsyncClient
) -> None:
    world.everything()
    await world.ready(seconds=60)
    known = world.status(CONNECTORS, "connector")["id"]
    await model(hand, "Another", connector_id=known)
    ran = await export("main", "--observe", "-o", "json")
    assert ran.code == Exit.OK, ran.err
    found = {body["metadata"]["name"]: body["spec"] for body in ran.document["items"]}
    assert found["another"]["connectorRef"] == {"name": "connector"}
    assert found["another"]["managementPolicy"] == "Observe"
    assert {"model", "connector", "group"}.isdisjoint(found)


async def test_a_connection_that_is_not_there_and_one_that_may_not_be_read(stage: Stage) -> None:
    world = await stage(version="2.19.1", users={"admin": "password-of-admin"})
    world.connection()
    await world.ready(seconds=60)
    ran = await export("none")
    assert (ran.code, ran.err) == (Exit.PROBLEMS, "error: OpenSearchConnection team/none does not exist\n")
    ran = await export("main", "--match", "(")
    assert ran.code == Exit.USAGE
