"""Tokens on their way to the cluster."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError, MLCode, MLError
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import AccountToken, ConnectionSettings
from support.fake_mlcommons import FakeMLCommons
from support.memory_tokens import MemoryTokens

ACCOUNT = AccountToken("search", 600)


@asynccontextmanager
async def transport(settings: ConnectionSettings, tokens: MemoryTokens) -> AsyncIterator[Transport]:
    made = Transport(
        settings,
        login=login_of(settings, tokens),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    try:
        yield made
    finally:
        await made.retire()


async def get(sent: Transport) -> object:
    return await sent.call(Op.GET_INFO, "GET", "/")


async def refused(sent: Transport) -> MLError:
    with pytest.raises(MLError) as error:
        await get(sent)
    return error.value


async def test_a_bearer_token_is_sent() -> None:
    async with FakeMLCommons(users={"op": "password"}) as server:
        server.user_of_token = {"the.very-token": "op"}.get
        good = ConnectionSettings(endpoints=(server.url,), bearer="the.very-token")
        assert "the.very-token" not in repr(good)
        async with transport(good, MemoryTokens()) as sent:
            await get(sent)
        bad = ConnectionSettings(endpoints=(server.url,), bearer="another")
        async with transport(bad, MemoryTokens()) as sent:
            assert (await refused(sent)).code is MLCode.UNAUTHENTICATED


async def test_a_refused_token_of_the_service_account_is_renewed() -> None:
    async with FakeMLCommons(users={"op": "password"}) as server:
        server.user_of_token = {"token-2-for-search": "op"}.get
        settings = ConnectionSettings(endpoints=(server.url,), account_token=ACCOUNT)
        async with transport(settings, MemoryTokens("search")) as sent:
            assert (await refused(sent)).code is MLCode.UNAUTHENTICATED
            await get(sent)
            await get(sent)


async def test_without_a_token_nothing_is_sent() -> None:
    tokens = MemoryTokens("search")
    tokens.failure = KubernetesUnavailableError("no answer from the API server")
    async with FakeMLCommons() as server:
        settings = ConnectionSettings(endpoints=(server.url,), account_token=ACCOUNT)
        async with transport(settings, tokens) as sent:
            error = await refused(sent)
        assert (error.code, server.count()) == (MLCode.NOT_SENT, 0)
        assert "no token of the ServiceAccount: no answer from the API server" in error.message
