"""The raw driver: the fewest requests that do the job, at a fixed gate, remembering nothing.

It is what a good script could do on a good day. It has no intent, no marker and no way back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from bench.figures import Figures
from bench.usage import Servers
from support.live_remote import ML

CONNECTIONS: Final = 16
FIRST_POLL: Final = 0.02
LONGEST_POLL: Final = 0.25
GROWTH: Final = 1.5
SECONDS: Final = 300.0
STUCK: Final = 30.0
"""Seconds after which nobody waits for a deploy any more: it stays in DEPLOYING."""
PATIENCE: Final = 40
"""How often a call is tried."""
_REFUSED: Final = ("exceed max running task limit", "rejected_execution_exception")


@dataclass(slots=True)
class Made:
    """One set, and when it was ready."""

    group: str
    connector: str
    model: str
    seconds: float


@dataclass(slots=True)
class RawDriver:
    """Makes sets on one node. `connector` and `prefix` are the connector's body and the names' beginning."""

    client: httpx.AsyncClient
    gate: int
    connector: dict[str, Any]
    prefix: str
    servers: Servers
    requests: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    stuck: int = 0
    sets: list[Made] = field(default_factory=list)

    async def create(self, count: int) -> Figures:
        """Make that many sets at once, each deployed."""
        registers, deploys = asyncio.Semaphore(self.gate), asyncio.Semaphore(self.gate)

        async def one(number: int) -> None:
            name = f"{self.prefix} raw-{number:05}"
            began = time.monotonic()
            group = await self._call("create-group", "POST", "model_groups/_register", {"name": name})
            connector = await self._call("create-connector", "POST", "connectors/_create", self.connector)
            body = {
                "name": name,
                "function_name": "remote",
                "model_group_id": group["model_group_id"],
                "connector_id": connector["connector_id"],
            }
            async with registers:
                model = (await self._call("register-model", "POST", "models/_register", body))["model_id"]
            async with deploys:
                await self._call("deploy-model", "POST", f"models/{model}/_deploy")
                await self._until_deployed(model)
            ids = group["model_group_id"], connector["connector_id"], model
            self.sets.append(Made(*ids, seconds=time.monotonic() - began))

        return await self._measured("create", count, [one(number) for number in range(count)])

    async def edit(self) -> Figures:
        """Change the description of every model."""
        change = {"description": "changed"}
        return await self._each(
            "edit", lambda made: self._call("update-model", "PUT", f"models/{made.model}", change)
        )

    async def rotate(self) -> Figures:
        """Give every model a connector with another key, and delete the one before."""

        async def one(made: Made) -> None:
            new = await self._call("create-connector", "POST", "connectors/_create", self.connector)
            change = {"connector_id": new["connector_id"]}
            await self._call("update-model", "PUT", f"models/{made.model}", change)
            with contextlib.suppress(httpx.HTTPStatusError):  # an id with a hyphen: strangers "use" it
                await self._call("delete-connector", "DELETE", f"connectors/{made.connector}")
            made.connector = new["connector_id"]

        return await self._each("rotate", one)

    async def delete(self) -> Figures:
        """Take every set away."""

        async def one(made: Made) -> None:
            # A deploy that is stuck, or a model that nobody knows of, keeps what it needs.
            with contextlib.suppress(httpx.HTTPStatusError):
                await self._call("undeploy-model", "POST", f"models/{made.model}/_undeploy")
                await self._call("delete-model", "DELETE", f"models/{made.model}")
                await self._call("delete-connector", "DELETE", f"connectors/{made.connector}")
                await self._call("delete-group", "DELETE", f"model_groups/{made.group}")

        return await self._each("delete", one)

    async def _each(self, step: str, act: Callable[[Made], Coroutine[Any, Any, Any]]) -> Figures:
        gate = asyncio.Semaphore(self.gate)

        async def gated(made: Made) -> None:
            async with gate:
                await act(made)

        return await self._measured(step, len(self.sets), [gated(made) for made in self.sets])

    async def _measured(self, step: str, count: int, work: Sequence[Coroutine[Any, Any, None]]) -> Figures:
        self.requests.clear()
        self.refused = self.stuck = 0
        servers = self.servers.cpu()
        began = time.monotonic()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*work)
        return Figures(
            driver=f"raw, gate {self.gate}",
            step=step,
            sets=count,
            wall=time.monotonic() - began,
            servers=self.servers.since(servers),
            requests=dict(self.requests),
            latencies=tuple(made.seconds for made in self.sets) if step == "create" else (),
            refused=self.refused,
            stuck=self.stuck,
        )

    async def _until_deployed(self, model: str) -> None:
        pause, began = FIRST_POLL, time.monotonic()
        while (await self._call("get-model", "GET", f"models/{model}"))["model_state"] != "DEPLOYED":
            if time.monotonic() - began > STUCK:
                self.stuck += 1
                return
            await asyncio.sleep(pause)
            pause = min(LONGEST_POLL, pause * GROWTH)

    async def _call(self, operation: str, method: str, path: str, body: Any = None) -> Any:
        """Call until it is answered well; a refusal is tried again, whatever it may have left behind.

        A connector is in use (409) until a search sees that its model has another one.

        Raises httpx.HTTPStatusError.
        """
        attempts = itertools.count(1)
        while True:
            self.requests[operation] += 1
            answer = await self.client.request(method, f"{ML}/{path}", json=body)
            if answer.is_success:
                return answer.json()
            limited = answer.status_code == httpx.codes.TOO_MANY_REQUESTS or _is_limit(answer)
            if next(attempts) == PATIENCE or (not limited and answer.status_code != httpx.codes.CONFLICT):
                answer.raise_for_status()
            self.refused += limited
            await asyncio.sleep(LONGEST_POLL)


def _is_limit(answer: httpx.Response) -> bool:
    return any(words in answer.text for words in _REFUSED)
