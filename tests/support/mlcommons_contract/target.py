"""One server under test: the operator's own client, raw requests beside it, and objects that go away."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.mlcommons import MLCommonsClient
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

ML = "/_plugins/_ml"
_PATHS = {"connector": f"{ML}/connectors", "group": f"{ML}/model_groups", "model": f"{ML}/models"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw answer: `type` and `reason` of an error, else empty."""

    status: int
    body: Any

    @property
    def error(self) -> tuple[int, str, str]:
        """Return what the error table looks at."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if not isinstance(error, dict):
            return self.status, "", str(error if error is not None else self.body)
        return self.status, error["type"], error["reason"]


@dataclass(slots=True)
class Target:
    """A server of `release` (major, minor), and the client under test."""

    release: tuple[int, int]
    secured: bool
    client: MLCommonsClient
    http: httpx.AsyncClient
    model_url: str
    """Where connectors may point to."""
    settings: ConnectionSettings
    _made: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_3(self) -> bool:
        """Whether this is a 3.x server."""
        return self.release >= (3, 0)

    async def raw(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request past the client."""
        response = await self.http.request(method, path, json=body)
        try:
            return Answer(response.status_code, response.json())
        except ValueError:
            return Answer(response.status_code, response.text)

    def connector_body(self, **changes: Any) -> dict[str, Any]:
        """Return a good connector; a change to None leaves the field out."""
        body: dict[str, Any] = {
            "name": "contract",
            "version": "1",
            "protocol": "http",
            "parameters": {"model": "m"},
            "credential": {"key": "contract-secret"},
            "actions": [self.action()],
        }
        return {key: value for key, value in {**body, **changes}.items() if value is not None}

    def action(self, **changes: Any) -> dict[str, Any]:
        """Return a good action; a change to None leaves the field out."""
        action: dict[str, Any] = {
            "action_type": "predict",
            "method": "POST",
            "url": self.model_url,
            "headers": {"Authorization": "Bearer ${credential.key}"},
            "request_body": '{"input": ${parameters.input}, "model": "${parameters.model}"}',
        }
        return {key: value for key, value in {**action, **changes}.items() if value is not None}

    async def connector(self, **changes: Any) -> str:
        """Create a connector that goes away at the end."""
        return self.made("connector", await self.client.create_connector(self.connector_body(**changes)))

    async def group(self, **changes: Any) -> str:
        """Create a model group that goes away at the end."""
        return self.made("group", await self.client.create_group({"name": unique("group"), **changes}))

    async def model(self, **changes: Any) -> str:
        """Register a model, with a connector and a group unless they are given, that goes away at the end."""
        body = {"name": unique("model"), "function_name": "remote", **changes}
        body.setdefault("connector_id", await self.connector() if "connector_id" not in body else "")
        body.setdefault("model_group_id", await self.group() if "model_group_id" not in body else "")
        given = {key: value for key, value in body.items() if value is not None}
        return self.made("model", (await self.client.register_model(given)).model_id)

    def made(self, kind: str, object_id: str) -> str:
        """Remember an object, to be removed at the end."""
        self._made.append((kind, object_id))
        return object_id

    async def document(self, kind: str, object_id: str) -> dict[str, Any]:
        """Read an object that must be there."""
        read = {"connector": self.client.get_connector, "group": self.client.get_group}
        hit = await read.get(kind, self.client.get_model)(object_id)
        assert hit is not None
        return dict(hit.source)

    async def change(self, model_id: str, body: dict[str, Any]) -> None:
        """Change a model; the server's own writes about it, after a deploy, may come in between."""

        async def changed() -> bool:
            try:
                await self.client.update_model(model_id, body)
            except MLError as error:
                if error.code is not MLCode.BUSY:
                    raise
                return False
            return True

        await until(changed)

    async def deployed(self, model_id: str) -> None:
        """Deploy and wait until it is."""
        await self.client.deploy_model(model_id)
        await self.state(model_id, "DEPLOYED")

    async def state(self, model_id: str, wanted: str) -> dict[str, Any]:
        """Wait for a model's state."""

        async def look() -> dict[str, Any] | None:
            document = await self.document("model", model_id)
            return document if document["model_state"] == wanted else None

        found: dict[str, Any] = await until(look)
        return found

    async def clean_up(self) -> None:
        """Remove what was made: models first, undeployed until they go, for the rest waits for them."""
        for kind, object_id in sorted(self._made, key=lambda made: made[0] != "model"):
            gone = self._model_gone if kind == "model" else self._gone
            await until(partial(gone, kind, object_id))

    async def _gone(self, kind: str, object_id: str) -> bool:
        answer = await self.raw("DELETE", f"{_PATHS[kind]}/{object_id}")
        return answer.status in {200, 404}

    async def _model_gone(self, _: str, model_id: str) -> bool:
        if await self.client.get_model(model_id) is None:
            return True
        try:
            await self.client.undeploy_model(model_id)
            await self.client.delete_model(model_id)
        except MLError:
            return False
        return True


async def until(look: Callable[[], Awaitable[Any]], *, seconds: float = 20.0) -> Any:
    """Poll until there is something true; fails when there is none in time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not (found := await look()):
        assert clock() < deadline, f"nothing within {seconds} s"
        await asyncio.sleep(0.02)
    return found


def unique(word: str) -> str:
    """Return a name that nobody else has."""
    return f"{word} {uuid.uuid4().hex}"


def token() -> str:
    """Return a word for a description."""
    return f"mark{uuid.uuid4().hex}"


@asynccontextmanager
async def target(
    settings: ConnectionSettings, *, release: tuple[int, int], model_url: str, verify: Any = True
) -> AsyncIterator[Target]:
    """Connect the client to a server, and remove at the end what a check has made."""
    key = ObjectKey("OpenSearchConnection", "tests", "contract")
    auth = (settings.username, settings.password or "") if settings.username is not None else None
    pool = Pool(
        observer=lambda *_: None,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=asyncio.get_running_loop().time,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pool.aclose)
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=settings.endpoints[0], auth=auth, verify=verify, trust_env=False, timeout=30
            )
        )
        marked = replace(settings, imprint=f"k8smlin{uuid.uuid4().hex}")
        client = await pool.put(key, marked)
        made = Target(
            release=release,
            secured=auth is not None,
            client=client,
            http=http,
            model_url=model_url,
            settings=settings,
        )
        stack.push_async_callback(made.clean_up)
        yield made
