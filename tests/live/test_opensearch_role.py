"""The shipped OpenSearch role: all that the operator asks of a cluster goes through, and nothing is spare."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.opensearch.server import Capability
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings, MLCommons, Registered
from stack.opensearch_node import OpenSearch
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

FOLDER = Path(__file__).parents[2] / "deploy" / "opensearch-role"
ROLE: dict[str, Any] = json.loads((FOLDER / "role.json").read_text())
PROBE_ROLE: dict[str, Any] = json.loads((FOLDER / "probe-role.json").read_text())
PERMISSIONS: list[str] = ROLE["cluster_permissions"]
PASSWORD = "Quiet-harbour-7-lanterns"
DEADLINE = 30.0
REQUEST = {"parameters": {"input": "[]"}}


class SettingsHiddenError(Exception):
    """The health check got through without seeing the cluster's settings."""


class DependantsHiddenError(Exception):
    """Not everything was seen that may name a model; it is no reason not to delete one."""


class Life:
    """The life of one connector, group and model through the operator's own client."""

    def __init__(self, client: MLCommons) -> None:
        self.client = client
        self.made: list[tuple[str, str]] = []

    async def live(self) -> None:
        """Make every call that the operator makes. Raises MLError at the first one that is refused."""
        client = self.client
        info = await client.server_info()
        if Capability.CONNECTOR_ACCESS_CONTROL not in info.capabilities:
            raise SettingsHiddenError
        registered = await self.register()
        (_, connector), (_, group), _ = self.made
        assert await client.get_task(registered.task_id) is not None
        await client.update_model(registered.model_id, {"description": "changed"})
        for kind, object_id in self.made:
            assert await client.search_marker(kind, "nothing") == ()
            assert await client.observe(kind, object_id, max_age=0) is not None
        assert await client.get_connector(connector) is not None
        assert await client.get_group(group) is not None
        await self.deploy(registered.model_id)
        assert await client.loaded_nodes(registered.model_id) == 1
        unseen = (await client.mentions(registered.model_id)).unseen
        if unseen:
            raise DependantsHiddenError(*unseen)
        await self.leave()

    async def register(self) -> Registered:
        """Make a connector, a group and a model of both."""
        client = self.client
        connector = self._note("connector", await client.create_connector(_connector()))
        await client.update_connector(connector, _connector())
        group = self._note("group", await client.create_group({"name": "role", "description": "first"}))
        await client.update_group(group, {"name": "role", "description": "second"})
        body = {"name": "role", "function_name": "remote", "connector_id": connector, "model_group_id": group}
        registered = await client.register_model(body)
        self._note("model", registered.model_id)
        return registered

    async def deploy(self, model_id: str) -> None:
        """Deploy a model and wait until it is."""
        await self.client.deploy_model(model_id)
        await self._reached(model_id, "DEPLOYED")

    async def leave(self) -> None:
        """Take away what was made, newest first, and see that it is gone."""
        client = self.client
        while self.made:
            kind, object_id = self.made[-1]
            if kind == "model":
                await client.undeploy_model(object_id)
                await self._reached(object_id, "UNDEPLOYED", "REGISTERED")
                await client.delete_model(object_id)
                assert await client.get_model(object_id) is None
            elif kind == "group":
                await client.delete_group(object_id)
                assert await client.get_group(object_id) is None
            else:
                await client.delete_connector(object_id)
                assert await client.get_connector(object_id) is None
            self.made.pop()

    def _note(self, kind: str, object_id: str) -> str:
        self.made.append((kind, object_id))
        return object_id

    async def _reached(self, model_id: str, *states: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while True:
            model = await self.client.get_model(model_id)
            assert model is not None
            if model.source["model_state"] in states:
                return
            assert time.monotonic() < deadline, model.source["model_state"]
            await asyncio.sleep(0.05)


def _connector() -> dict[str, Any]:
    action = {
        "action_type": "predict",
        "method": "POST",
        "url": "http://127.0.0.1:9/v1/embeddings",
        "headers": {"Authorization": "Bearer ${credential.key}"},
        "request_body": '{"input": ${parameters.input}}',
    }
    return {
        "name": "role",
        "description": "",
        "version": "1",
        "protocol": "http",
        "credential": {"key": "the-key"},
        "parameters": {},
        "actions": [action],
    }


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(
        observer=lambda *_: None,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=time.monotonic,
    )
    yield pool
    await pool.aclose()


async def connect(pool: Pool, node: OpenSearch, user: str | None, password: str | None) -> MLCommons:
    assert node.ca_file is not None
    settings = ConnectionSettings(
        endpoints=(node.url,), username=user, password=password, ca=node.ca_file.read_bytes()
    )
    return await pool.put(ObjectKey("OpenSearchConnection", "test", str(user)), settings)


async def test_the_role_is_enough(pool: Pool, opensearch_219: OpenSearch) -> None:
    opensearch_219.create_user("operator", PASSWORD, "ml-operator", ROLE)
    await Life(await connect(pool, opensearch_219, "operator", PASSWORD)).live()


@pytest.mark.exhaustive
@pytest.mark.parametrize("permission", PERMISSIONS)
async def test_each_permission_is_needed(pool: Pool, opensearch_219: OpenSearch, permission: str) -> None:
    user = f"without-{PERMISSIONS.index(permission)}"
    rest = [other for other in PERMISSIONS if other != permission]
    opensearch_219.create_user(user, PASSWORD, user, {"cluster_permissions": rest})
    life = Life(await connect(pool, opensearch_219, user, PASSWORD))
    try:
        with pytest.raises((MLError, SettingsHiddenError, DependantsHiddenError)) as refused:
            await life.live()
    finally:
        life.client = await connect(pool, opensearch_219, opensearch_219.username, opensearch_219.password)
        await life.leave()
    if isinstance(refused.value, MLError):
        assert refused.value.code is MLCode.FORBIDDEN
        assert permission in refused.value.message
    elif isinstance(refused.value, DependantsHiddenError):
        (unseen,) = refused.value.args
        assert permission in unseen
    else:
        assert permission == "cluster:monitor/state"


async def test_predicting_takes_the_role_for_probes(pool: Pool, opensearch_219: OpenSearch) -> None:
    opensearch_219.create_user("prober", PASSWORD, "ml-prober", ROLE)
    client = await connect(pool, opensearch_219, "prober", PASSWORD)
    life = Life(client)
    try:
        model = (await life.register()).model_id
        await life.deploy(model)
        with pytest.raises(MLError) as forbidden:
            await client.predict(model, REQUEST)
        assert forbidden.value.code is MLCode.FORBIDDEN
        assert PROBE_ROLE["cluster_permissions"][0] in forbidden.value.message

        opensearch_219.create_user("prober", PASSWORD, "ml-prober-probes", PROBE_ROLE)
        with pytest.raises(MLError) as allowed:
            await client.predict(model, REQUEST)
        assert allowed.value.code is MLCode.PROVIDER_FAILED  # nobody listens at the connector's URL
    finally:
        await life.leave()
