"""The fake's own handles: faults, held requests, outcomes, the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.fake_mlcommons import FakeMLCommons
from support.fake_mlcommons.cluster import Call

GROUPS = "/_plugins/_ml/model_groups"


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons() as running:
        yield running


@pytest.fixture
async def http(server: FakeMLCommons) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=5) as client:
        yield client


async def create(http: httpx.AsyncClient, name: str = "g") -> httpx.Response:
    return await http.post(f"{GROUPS}/_register", json={"name": name})


async def model(server: FakeMLCommons, http: httpx.AsyncClient) -> str:
    action = {"action_type": "predict", "method": "POST", "url": "http://127.0.0.1:1/"}
    connector = {
        "name": "c",
        "version": "1",
        "protocol": "http",
        "credential": {"k": "v"},
        "actions": [action],
    }
    made = await http.post("/_plugins/_ml/connectors/_create", json=connector)
    body = {"name": "m", "function_name": "remote", "connector_id": made.json()["connector_id"]}
    answer = await http.post("/_plugins/_ml/models/_register", json=body)
    assert answer.json()["model_id"] in server.models
    return str(answer.json()["model_id"])


async def test_a_status_instead_of_the_effect(server: FakeMLCommons, http: httpx.AsyncClient) -> None:
    server.fail("create-group", times=2, status=503, retry_after=7)
    assert [(await create(http)).status_code for _ in range(3)] == [503, 503, 200]
    assert len(server.groups) == 1
    assert [call.status for call in server.requests] == [503, 503, 200]


async def test_a_status_after_the_effect(server: FakeMLCommons, http: httpx.AsyncClient) -> None:
    server.fail("create-group", status=500, carried_out=True)
    assert (await create(http)).status_code == 500
    assert len(server.groups) == 1


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_cut_connection(server: FakeMLCommons, http: httpx.AsyncClient, *, carried_out: bool) -> None:
    server.fail("create-group", cut=True, carried_out=carried_out)
    with pytest.raises(httpx.TransportError):
        await create(http)
    assert len(server.groups) == carried_out
    assert server.requests[0].status is None


async def test_no_answer(server: FakeMLCommons) -> None:
    server.fail("create-group", hang=True)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=0.1) as impatient:
        with pytest.raises(httpx.ReadTimeout):
            await create(impatient)


async def test_a_held_request_takes_effect_after_its_sender_has_gone(server: FakeMLCommons) -> None:
    hold = server.hold("create-group")
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=0.1) as impatient:
        with pytest.raises(httpx.ReadTimeout):
            await create(impatient)
    assert server.groups == {}
    hold.release()
    await asyncio.wait_for(hold.done.wait(), 5)
    assert len(server.groups) == 1


async def test_hooks_see_calls_and_answers(server: FakeMLCommons, http: httpx.AsyncClient) -> None:
    seen: list[Any] = []

    async def before(call: Call) -> None:
        seen.append(call.operation)

    async def after(call: Call, status: int, body: Any) -> None:
        seen.append((call.body, status, body["status"]))
        raise ConnectionError

    server.before, server.after = before, after
    with pytest.raises(httpx.TransportError):
        await create(http)
    assert seen == ["create-group", ({"name": "g"}, 200, "CREATED")]
    assert len(server.groups) == 1


async def test_it_can_be_away_and_come_back(server: FakeMLCommons, http: httpx.AsyncClient) -> None:
    await create(http)
    url = server.url
    await server.stop()
    with pytest.raises(httpx.TransportError):
        await create(http, "h")
    await server.start()
    assert server.url == url
    assert (await create(http, "h")).status_code == 200
    assert len(server.groups) == 2


async def test_ids_are_repeatable_and_some_have_hyphens() -> None:
    def ids(seed: int) -> list[str]:
        return [FakeMLCommons(seed=seed).cluster.new_id() for _ in range(1)]

    first = FakeMLCommons(seed=7)
    made = [first.cluster.new_id() for _ in range(2000)]
    assert ids(7) == made[:1]
    assert ids(8) != made[:1]
    assert len(set(made)) == 2000
    assert all(len(each) == 20 for each in made)
    assert 0.03 < sum("-" in each for each in made) / 2000 < 0.2


async def test_outcomes_of_deploys(server: FakeMLCommons, http: httpx.AsyncClient) -> None:
    model_id = await model(server, http)
    document = server.models[model_id]
    path = f"/_plugins/_ml/models/{model_id}"
    server.deploy_outcomes.extend(["failed", "stuck"])
    for state in ("DEPLOY_FAILED", "DEPLOYING"):
        await http.post(f"{path}/_undeploy")
        await http.post(f"{path}/_deploy")
        await eventually(lambda state=state: document["model_state"] == state)  # type: ignore[misc]
    await http.post(f"{path}/_deploy")
    await eventually(lambda: document["model_state"] == "DEPLOYED")
    server.restart_nodes()
    assert document["model_state"] == "DEPLOYED"
    profile = await http.get(f"/_plugins/_ml/profile/models/{model_id}?view=model")
    assert profile.json() == {}


async def test_predictions_tell_which_connector_served(
    server: FakeMLCommons, http: httpx.AsyncClient
) -> None:
    model_id = await model(server, http)
    connector = server.models[model_id]["connector_id"]
    answer = await http.post(f"/_plugins/_ml/models/{model_id}/_predict", json={"parameters": {}})
    assert answer.json()["inference_results"][0]["output"][0]["dataAsMap"] == {"connector_id": connector}
    assert server.cluster.predictions == [(model_id, connector)]
    server.cluster.model_answers["http://127.0.0.1:1/"] = (429, {"error": "slow down"})
    answer = await http.post(f"/_plugins/_ml/models/{model_id}/_predict", json={"parameters": {}})
    reason = 'Error from remote service: {"error": "slow down"}'
    assert (answer.status_code, answer.json()["error"]["reason"]) == (429, reason)
    await eventually(lambda: server.models[model_id]["model_state"] == "DEPLOYED")


async def test_more_than_ten_registers_at_once_are_refused() -> None:
    async with FakeMLCommons() as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as http:
            await model(server, http)
            connector = next(iter(server.connectors))
            server.cluster.register_seconds = 5.0  # until all have arrived, also on a busy machine
            bodies = [
                {"name": f"m{n}", "function_name": "remote", "connector_id": connector} for n in range(15)
            ]
            answers = await asyncio.gather(
                *(http.post("/_plugins/_ml/models/_register", json=body) for body in bodies)
            )
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(500)) == (10, 5)
        assert len(server.models) == 11
        assert len(server.groups) == 16  # the refused ones had made theirs
        assert sum(task["state"] == "CREATED" for task in server.tasks.values()) >= 5


@pytest.mark.parametrize(("version", "status"), [("2.19.1", 500), ("3.6.0", 409)])
async def test_parallel_registers_into_one_group_conflict(version: str, status: int) -> None:
    async with FakeMLCommons(version=version) as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=5) as http:
            await model(server, http)
            connector, group = next(iter(server.connectors)), next(iter(server.groups))
            server.cluster.register_seconds = 0.05
            body = {
                "name": "m",
                "function_name": "remote",
                "connector_id": connector,
                "model_group_id": group,
            }
            answers = await asyncio.gather(
                *(http.post("/_plugins/_ml/models/_register", json=body) for _ in range(3))
            )
        assert sorted(answer.status_code for answer in answers) == [200, status, status]
        assert server.groups[group]["latest_version"] == 2


async def test_updates_are_searchable_late_before_3_3() -> None:
    async with (
        FakeMLCommons(version="2.19.1") as server,
        httpx.AsyncClient(trust_env=False, timeout=5) as http,
    ):
        http.base_url = httpx.URL(server.url)
        group = (await create(http)).json()["model_group_id"]
        await http.put(f"{GROUPS}/{group}", json={"description": "after"})

        async def found() -> str | None:
            answer = await http.post(f"{GROUPS}/_search", json={"query": {"ids": {"values": [group]}}})
            (hit,) = answer.json()["hits"]["hits"]
            text: str | None = hit["_source"].get("description")
            return text

        assert await found() is None
        assert server.groups[group]["description"] == "after"
        clock = asyncio.get_running_loop().time
        deadline = clock() + 5
        while await found() is None:
            assert clock() < deadline
            await asyncio.sleep(0.02)


async def test_a_crash_of_the_fake_fails_the_test() -> None:
    server = FakeMLCommons()

    async def broken(_: Call) -> None:
        raise ZeroDivisionError

    await server.start()
    server.before = broken
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        assert (await http.get("/")).status_code == 500
    with pytest.raises(ZeroDivisionError):
        await server.__aexit__(None, None, None)
