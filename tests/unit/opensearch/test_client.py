"""The typed calls, where the shared contract does not reach: refusals, odd answers, the health check."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.mlcommons import MLCommonsClient
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.opensearch.server import Capability
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

KEY = ObjectKey("OpenSearchConnection", "ns", "main")
PROVIDER = "https://api.openai.com/v1/embeddings"


@asynccontextmanager
async def connected(server: FakeMLCommons, **login: str) -> AsyncIterator[MLCommonsClient]:
    pool = Pool(
        observer=lambda *_: None,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=time.monotonic,
    )
    async with server:
        try:
            settings = ConnectionSettings(endpoints=(server.url,), read_timeout=5.0, **login)  # type: ignore[arg-type]
            yield await pool.put(KEY, settings)
        finally:
            await pool.aclose()


@pytest.mark.parametrize(
    ("version", "capabilities"),
    [
        ("2.19.1", set()),
        ("3.6.0", set()),
        ("3.7.0", {Capability.PROVISIONED_BY}),
        ("3.9.0-SNAPSHOT", {Capability.PROVISIONED_BY, Capability.CUSTOM_IDS}),
        ("4.0.0", {Capability.PROVISIONED_BY, Capability.CUSTOM_IDS}),
        ("7.10.2", set()),
    ],
)
async def test_capabilities_by_version(version: str, capabilities: set[Capability]) -> None:
    server = FakeMLCommons(version="3.6")
    server.cluster.number = version
    async with connected(server) as client:
        info = await client.server_info()
    assert info.version == version
    assert set(info.capabilities) == capabilities | {Capability.AUTO_DEPLOY}


async def test_capabilities_by_setting() -> None:
    server = FakeMLCommons(
        users={"op": "pw"},
        settings={"model_auto_deploy.enable": "false", "connector_access_control_enabled": "false"},
    )
    async with connected(server, username="op", password="pw") as client:
        info = await client.server_info()
        assert info.capabilities == ("Security", "ModelAccessControl")
        server.cluster.transient["plugins.ml_commons.model_access_control_enabled"] = "false"
        assert (await client.server_info()).capabilities == ("Security",)


async def test_without_the_right_to_read_settings_the_server_decides() -> None:
    server = FakeMLCommons(users={"op": "pw"})
    server.forbidden = {"get-settings"}
    async with connected(server, username="op", password="pw") as client:
        info = await client.server_info()
    assert info.capabilities == ("Security",)
    assert info.private_addresses_allowed
    assert info.tasks_at_once == {}


async def test_how_many_tasks_it_takes_follows_its_settings_and_its_nodes() -> None:
    server = FakeMLCommons(nodes=3, settings={"max_deploy_model_tasks_per_node": "4"})
    async with connected(server) as client:
        assert (await client.server_info()).tasks_at_once == {"register": 30, "deploy": 12}
        server.fail("get-nodes", status=400)
        assert (await client.server_info()).tasks_at_once == {"register": 10, "deploy": 4}
        server.fail("get-nodes", status=401)
        with pytest.raises(MLError):
            await client.server_info()


async def test_private_addresses_are_off_by_default() -> None:
    async with connected(FakeMLCommons()) as client:
        assert not (await client.server_info()).private_addresses_allowed


async def test_a_cluster_without_the_plugin() -> None:
    server = FakeMLCommons()
    server.plugin_installed = False
    async with connected(server) as client:
        with pytest.raises(MLError) as missing:
            await client.server_info()
    assert missing.value.code is MLCode.PLUGIN_MISSING


async def test_a_user_who_may_not_use_the_plugin() -> None:
    server = FakeMLCommons(users={"op": "pw"})
    server.forbidden = {"search-models"}
    async with connected(server, username="op", password="pw") as client:
        with pytest.raises(MLError) as forbidden:
            await client.server_info()
    assert forbidden.value.code is MLCode.FORBIDDEN
    assert "cluster:admin/opensearch/ml/models/search" in forbidden.value.message


async def test_something_else_that_answers_json() -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        server.fail("get-info", status=200, body='{"hello": "world"}')
        with pytest.raises(MLError) as unreadable:
            await client.server_info()
    assert unreadable.value.code is MLCode.AMBIGUOUS


async def test_a_missing_right_to_the_profile_is_told_from_a_failure() -> None:
    server = FakeMLCommons(users={"op": "pw"})
    server.forbidden = {"profile-model"}
    async with connected(server, username="op", password="pw") as client:
        with pytest.raises(MLError) as forbidden:
            await client.loaded_nodes("model1")
    assert (forbidden.value.code, forbidden.value.status) == (MLCode.FORBIDDEN, 500)


@pytest.mark.parametrize(
    "answer",
    [
        '{"timed_out":true,"_shards":{"total":1,"failed":0},"hits":{"hits":[]}}',
        '{"timed_out":false,"_shards":{"total":1,"failed":1},"hits":{"hits":[]}}',
        '{"timed_out":false,"hits":{"hits":[]}}',
        '{"hits":{"hits":[]}}',
        "{}",
    ],
)
async def test_a_search_that_not_every_shard_has_answered_is_no_empty_one(answer: str) -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        server.fail("search-models", status=200, body=answer)
        with pytest.raises(MLError) as unclear:
            await client.search_marker("model", "marker1")
    assert unclear.value.code is MLCode.AMBIGUOUS


async def test_searches_before_there_is_an_index_are_empty() -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        assert await client.search_marker("model", "marker1") == ()
        missing = '{"error":{"type":"index_not_found_exception","reason":"no such index [x]"},"status":404}'
        server.fail("search-models", status=404, body=missing)
        assert await client.search_marker("model", "marker1") == ()


async def test_reads_before_there_is_an_index_find_nothing() -> None:
    async with connected(FakeMLCommons()) as client:
        assert await client.get_connector("a") is None
        assert await client.get_group("a") is None
        assert await client.get_model("a") is None


@pytest.mark.parametrize("version", ["2.19.1", "3.6.0"])
async def test_deletes_before_there_is_an_index_are_no_proof(version: str) -> None:
    async with connected(FakeMLCommons(version=version)) as client:
        if version.startswith("3"):
            await client.delete_connector("a")
            await client.delete_group("a")
        else:
            with pytest.raises(MLError) as unclear:
                await client.delete_connector("a")
            assert unclear.value.code is MLCode.AMBIGUOUS


@pytest.mark.parametrize("operation", ["get-model", "get-connector", "get-group", "get-task"])
async def test_a_404_that_is_not_the_servers_own_is_no_absence(operation: str) -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        server.fail(operation, status=404, body="<html>404 page not found</html>")
        call = {
            "get-model": client.get_model,
            "get-connector": client.get_connector,
            "get-group": client.get_group,
            "get-task": client.get_task,
        }[operation]
        with pytest.raises(MLError) as unclear:
            await call("abc")
    assert unclear.value.code is MLCode.AMBIGUOUS


@pytest.mark.parametrize(
    "hostile", ["", ".", "..", "a/b", "a?b", "a%2fb", "_search", "_create", "a b", "x" * 513]
)
async def test_what_cannot_be_an_id_is_never_sent(hostile: str) -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        for call in (client.get_model, client.delete_connector, client.deploy_model, client.loaded_nodes):
            with pytest.raises(MLError) as refused:
                await call(hostile)
            assert refused.value.code is MLCode.REJECTED
        assert server.count() == 0


@pytest.mark.parametrize("id_", ["_KAoDKIBjXeGSooX_yJ-", "-qAoDKIBjXeGSooXrCLy", "__abcDKIBf-v5BZK9Q1xP"])
async def test_odd_ids_of_the_server_are_sent_as_they_are(id_: str) -> None:
    server = FakeMLCommons(new_id=lambda: id_)
    async with connected(server) as client:
        assert await client.create_group({"name": "g"}) == id_
        hit = await client.get_group(id_)
        assert hit is not None


async def test_an_answer_to_a_register_without_an_id_is_ambiguous() -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        server.fail("register-model", status=200, body='{"task_id":"t","status":"CREATED"}')
        with pytest.raises(MLError) as unclear:
            await client.register_model({})
    assert unclear.value.code is MLCode.AMBIGUOUS


async def test_ids_chosen_by_the_client() -> None:
    server = FakeMLCommons(version="3.9")
    body = {
        "name": "c",
        "version": "1",
        "protocol": "http",
        "credential": {"k": "vvvv"},
        "actions": [{"action_type": "predict", "method": "POST", "url": "http://127.0.0.1:1/"}],
        "connector_id": "kc0r1",
    }
    async with connected(server) as client:
        assert await client.create_connector(body) == "kc0r1"
        with pytest.raises(MLError) as taken:
            await client.create_connector(body)
    assert (taken.value.code, taken.value.ids) == (MLCode.NAME_TAKEN, ("kc0r1",))


async def test_own_writes_are_read_back_at_once_on_2_19() -> None:
    server = FakeMLCommons(version="2.19.1")
    async with connected(server) as client:
        groups = [await client.create_group({"name": f"g{n}", "description": "before"}) for n in range(3)]
        for group in groups:
            await client.observe("group", group, max_age=60)
        await client.update_group(groups[0], {"description": "after"})
        hit = await client.observe("group", groups[0], max_age=60)
        assert hit is not None
        assert hit.source["description"] == "after"
        client.forget("group", groups[0])


async def test_what_a_get_does_not_find_is_read_no_more() -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        first, gone, other = [await client.create_group({"name": f"g{n}"}) for n in range(3)]
        await client.delete_group(gone)
        assert await client.get_group(gone) is None
        server.requests.clear()
        assert await client.observe("group", first, max_age=60) is not None
        (search,) = server.requests
        assert search.body is not None
        assert set(search.body["query"]["ids"]["values"]) == {first, other}


async def test_many_reads_at_once_are_few_requests() -> None:
    server = FakeMLCommons()
    async with connected(server) as client:
        groups = [await client.create_group({"name": f"g{n}"}) for n in range(50)]
        server.requests.clear()
        hits = await asyncio.gather(*(client.observe("group", group, max_age=60) for group in groups))
        assert [hit.id for hit in hits if hit is not None] == groups
        assert server.count() <= 3
        server.requests.clear()
        await asyncio.gather(*(client.observe("group", group, max_age=60) for group in groups))
        assert server.count() == 0


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"parameters": {"input": ["a"]}}, "/models/{}/_predict"),
        ({"text_docs": ["a"]}, "/_predict/text_embedding/{}"),
        ({"query_text": "a", "text_docs": ["b"]}, "/_predict/text_similarity/{}"),
    ],
)
async def test_a_prediction_goes_where_its_request_is_understood(
    request_: dict[str, object], path: str
) -> None:
    async with deployed(FakeMLCommons()) as (server, client, model):
        answer = await client.predict(model, request_)
    sent = server.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/_plugins/_ml" + path.format(model))
    assert sent.body == request_
    assert answer["inference_results"][0]["output"][0]["name"] == "response"


@pytest.mark.parametrize("status", [401, 403, 404, 429])
async def test_what_the_provider_answers_is_not_taken_for_opensearchs_word(status: int) -> None:
    async with deployed(FakeMLCommons()) as (server, client, model):
        server.cluster.model_answers[PROVIDER] = (status, {"error": "no"})
        with pytest.raises(MLError) as refused:
            await client.predict(model, {"parameters": {}})
    assert (refused.value.code, refused.value.status) == (MLCode.PROVIDER_FAILED, status)
    assert '{"error": "no"}' in refused.value.message


async def test_a_prediction_without_results_is_unreadable() -> None:
    async with deployed(FakeMLCommons()) as (server, client, model):
        server.fail("predict", status=200, body="{}")
        with pytest.raises(MLError) as unreadable:
            await client.predict(model, {"parameters": {}})
    assert unreadable.value.code is MLCode.AMBIGUOUS


@asynccontextmanager
async def deployed(server: FakeMLCommons) -> AsyncIterator[tuple[FakeMLCommons, MLCommonsClient, str]]:
    action = {"action_type": "predict", "method": "POST", "url": PROVIDER}
    body = {"name": "c", "description": "", "version": "1", "protocol": "http", "parameters": {}}
    async with connected(server) as client:
        connector = await client.create_connector({**body, "credential": {"key": "k"}, "actions": [action]})
        group = await client.create_group({"name": "g", "description": ""})
        model = {"name": "m", "function_name": "remote", "connector_id": connector, "model_group_id": group}
        yield server, client, (await client.register_model(model)).model_id


async def test_a_request_makes_python_look_for_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        """Finds nothing, and notes what was looked for."""

        looked_for: ClassVar[list[str]] = []

        @classmethod
        def find_spec(cls, name: str, *_: object) -> None:
            cls.looked_for.append(name)

    server = FakeMLCommons()
    async with connected(server) as client:
        assert await client.get_task("missing1") is None
        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
        assert await client.get_task("missing1") is None
    assert Finder.looked_for == []
