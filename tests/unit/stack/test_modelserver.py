from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from stack.modelserver.app import make_app

EMBEDDINGS, CHAT, FAULTS, KEYS, REQUESTS = (
    "/v1/embeddings",
    "/v1/chat/completions",
    "/_control/faults",
    "/_control/keys",
    "/_control/requests",
)
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "what time is it"}]}

Client = TestClient[Any, Any]


def lengths(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text))] for text in texts]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_app(lengths, clock=lambda: 12.5))) as client:
        yield client


async def ask(client: Client, path: str, body: object, **headers: str) -> tuple[int, Any]:
    async with client.post(path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def control(client: Client, method: str, path: str, body: object = None) -> int:
    async with client.request(method, path, json=body) as answer:
        return answer.status


async def recorded(client: Client, since: int = 0) -> list[dict[str, Any]]:
    async with client.get(REQUESTS, params={"since": since}) as answer:
        requests: list[dict[str, Any]] = await answer.json()
        return requests


async def test_embeddings_come_in_the_order_of_the_texts(client: Client) -> None:
    status, body = await ask(client, EMBEDDINGS, {"input": ["a", "bb"], "model": "m"})
    assert status == 200
    assert [(each["index"], each["embedding"]) for each in body["data"]] == [(0, [1.0]), (1, [2.0])]
    assert body["model"] == "m"
    _, body = await ask(client, EMBEDDINGS, {"input": "ccc"})
    assert [each["embedding"] for each in body["data"]] == [[3.0]]


@pytest.mark.parametrize(
    "body", [{}, {"input": []}, {"input": [1]}, {"input": "a", "dimensions": 7}, {"input": None}, ["a"]]
)
async def test_bad_embedding_requests_are_refused_as_by_the_provider(client: Client, body: object) -> None:
    status, answer = await ask(client, EMBEDDINGS, body)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"


async def test_chat_gives_the_same_answer_to_the_same_question(client: Client) -> None:
    status, first = await ask(client, CHAT, QUESTION)
    assert status == 200
    assert first["choices"][0]["message"] == {"role": "assistant", "content": "You said: what time is it"}
    assert await ask(client, CHAT, QUESTION) == (200, first)


async def test_requests_are_recorded_as_they_came(client: Client) -> None:
    await ask(client, EMBEDDINGS, {"input": "a"}, Authorization="Bearer secret")
    await ask(client, "/v1/unknown", {"some": "thing"})
    first, second = await recorded(client)
    assert (first["number"], first["time"], first["method"]) == (1, 12.5, "POST")
    assert (first["path"], first["body"]) == (EMBEDDINGS, {"input": "a"})
    assert first["headers"]["Authorization"] == "Bearer secret"
    assert second["path"] == "/v1/unknown"
    assert await recorded(client, since=1) == [second]
    assert await control(client, "DELETE", REQUESTS) == 204
    assert await recorded(client) == []


async def test_fault_hits_its_path_as_often_as_it_says(client: Client) -> None:
    await control(client, "PUT", FAULTS, {"path": EMBEDDINGS, "status": 429, "retry_after": 7, "times": 2})
    for _ in range(2):
        async with client.post(EMBEDDINGS, json={"input": "a"}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert (await ask(client, EMBEDDINGS, {"input": "a"}))[0] == 200


async def test_fault_stays_until_it_is_cleared_and_leaves_other_paths_alone(client: Client) -> None:
    await control(client, "PUT", FAULTS, {"path": EMBEDDINGS, "status": 500, "body": {"odd": True}})
    for _ in range(3):
        assert await ask(client, EMBEDDINGS, {"input": "a"}) == (500, {"odd": True})
    assert (await ask(client, CHAT, QUESTION))[0] == 200
    await control(client, "DELETE", FAULTS)
    assert (await ask(client, EMBEDDINGS, {"input": "a"}))[0] == 200


async def test_cut_connection_is_no_answer_but_a_recorded_request(client: Client) -> None:
    await control(client, "PUT", FAULTS, {"path": EMBEDDINGS, "cut": True})
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(client, EMBEDDINGS, {"input": "a"})
    assert [each["path"] for each in await recorded(client)] == [EMBEDDINGS]


async def test_late_answer_is_a_good_one(client: Client) -> None:
    await control(client, "PUT", FAULTS, {"path": EMBEDDINGS, "delay_seconds": 0.3})
    with pytest.raises(TimeoutError):
        await client.post(EMBEDDINGS, json={"input": "a"}, timeout=aiohttp.ClientTimeout(total=0.1))
    assert (await ask(client, EMBEDDINGS, {"input": "a"}))[0] == 200


async def test_keys_that_are_not_accepted_get_the_providers_401(client: Client) -> None:
    await control(client, "PUT", KEYS, {"accepted": ["good"]})
    for headers in ({}, {"Authorization": "Bearer bad"}, {"Authorization": "Basic good"}):
        status, body = await ask(client, EMBEDDINGS, {"input": "a"}, **headers)
        assert (status, body["error"]["code"]) == (401, "invalid_api_key")
    assert (await ask(client, EMBEDDINGS, {"input": "a"}, Authorization="Bearer good"))[0] == 200
    await control(client, "PUT", KEYS, {"accepted": None})
    assert (await ask(client, EMBEDDINGS, {"input": "a"}))[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [(FAULTS, {"path": EMBEDDINGS, "statuss": 401}), (FAULTS, {"status": 401}), (KEYS, {}), (FAULTS, None)],
)
async def test_wrong_control_requests_are_refused(client: Client, path: str, body: object) -> None:
    assert await control(client, "PUT", path, body) == 400
