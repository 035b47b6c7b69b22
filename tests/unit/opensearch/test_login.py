"""Tokens on their way to the cluster."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opensearch_ml_operator.aws.source import Credentials
from opensearch_ml_operator.errors import AWSError, KubernetesUnavailableError, MLCode, MLError
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.aws import AWSIdentity, AWSKeys, AWSSource, Signing
from opensearch_ml_operator.reconcilers.ports import AccountToken, ConnectionSettings
from support.fake_aws import Accounts, Issued, gateway
from support.fake_aws.web import Reply, serve
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens
from support.providers.received import Received

ACCOUNT = AccountToken("search", 600)


@asynccontextmanager
async def transport(
    settings: ConnectionSettings, tokens: MemoryTokens, aws: AWSSource | None = None
) -> AsyncIterator[Transport]:
    made = Transport(
        settings,
        login=login_of(settings, tokens, aws or MemoryAWS()),
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


def closed() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


# Signatures

REGION = "eu-central-1"
TARGETS = (
    "/_plugins/_ml/models/TU6YCKIB5fgdfnSRqV-t",
    "/_cluster/settings?include_defaults=true&filter_path=*.plugins%5C.ml_commons%5C.*,*.plugins%5C.security*",
    "/a b/ü?x=ü y&x=1&x=0&z&w=%2B&v=a:b@c/d?e",
    "/a%20b%2fc/e?q=%41",
)


def signing(keys: Issued, service: str = "es") -> Signing:
    return Signing(
        AWSIdentity(REGION, AWSKeys(keys.access_key, keys.secret_key, keys.session_token)), service
    )


def credentials() -> Credentials:
    return Credentials(None, for_teams=False, learn=lambda _: None, now=lambda: datetime.now(UTC))


@pytest.mark.parametrize("service", ["es", "aoss"])
async def test_a_request_is_signed_as_it_is_sent(service: str) -> None:
    """Path and query as httpx encodes them, with a body and without, at whichever endpoint is called."""
    accounts = Accounts()
    keys = accounts.session("arn:of:somebody", 600)
    async with FakeMLCommons() as server:
        with (
            gateway(server.url, accounts, REGION, service=service) as one,
            gateway(server.url, accounts, REGION, service=service) as other,
        ):
            for endpoints in ((one.url,), (f"{closed()}/", other.url)):
                settings = ConnectionSettings(endpoints=endpoints, signing=signing(keys, service))
                async with transport(settings, MemoryTokens(), credentials()) as sent:
                    for target in TARGETS:
                        with suppress(MLError):  # what the cluster says of it is not the question
                            await sent.call(Op.GET_MODEL, "GET", target)
                    await sent.call(Op.CHECK_PLUGIN, "POST", "/_plugins/_ml/models/_search", {"x": "ü"})
                    with suppress(MLError):
                        await sent.call(Op.DELETE_MODEL, "DELETE", "/_plugins/_ml/models/a")
        assert (one.refused, other.refused) == ([], [])
        assert len(one.passed) == len(other.passed) == len(TARGETS) + 2
        assert {who for who, _ in one.passed} == {"arn:of:somebody"}


async def test_a_signature_is_of_no_use_elsewhere() -> None:
    """Neither at another host nor for another request; the secret key goes nowhere."""
    accounts = Accounts()
    keys = accounts.user("ml")
    async with FakeMLCommons() as server:
        with gateway(server.url, accounts, REGION) as one, gateway(server.url, accounts, REGION) as other:
            settings = ConnectionSettings(endpoints=(one.url,), signing=signing(keys))
            async with transport(settings, MemoryTokens(), credentials()) as sent:
                await get(sent)
            ((_, request),) = one.passed
            assert keys.secret_key not in str(request)
            assert (await asyncio.to_thread(one.answer, request)).status == 200
            for place, changed in (
                (one, replace(request, target="/_cluster/settings")),
                (one, replace(request, method="DELETE")),
                (other, request),
            ):
                assert (await asyncio.to_thread(place.answer, changed)).status == 403


async def test_what_aws_refuses_is_told_and_other_keys_are_asked_for() -> None:
    async with FakeMLCommons() as server:
        with gateway(server.url, Accounts(), REGION) as one:
            aws = MemoryAWS()
            wanted = Signing(AWSIdentity(REGION), "es")
            settings = ConnectionSettings(endpoints=(one.url,), signing=wanted)
            async with transport(settings, MemoryTokens(), aws) as sent:
                error = await refused(sent)
            assert (error.code, aws.forgotten) == (MLCode.UNAUTHENTICATED, [wanted.identity])
            assert error.message == "Missing Authentication Token"


async def test_without_keys_nothing_is_sent() -> None:
    aws = MemoryAWS()
    aws.failure = AWSError("sts.example does not answer in time")
    async with FakeMLCommons() as server:
        settings = ConnectionSettings(endpoints=(server.url,), signing=Signing(AWSIdentity(REGION), "es"))
        async with transport(settings, MemoryTokens(), aws) as sent:
            error = await refused(sent)
        assert (error.code, server.count()) == (MLCode.NOT_SENT, 0)
        assert "nothing to sign with: sts.example does not answer in time" in error.message


async def test_signature_and_token_are_masked_and_the_time_is_not() -> None:
    accounts = Accounts()
    keys = accounts.session("arn:of:somebody", 600)

    def echo(request: Received) -> Reply:
        return Reply(403, json.dumps({"message": json.dumps(dict(request.headers))}).encode())

    with serve(echo) as url:
        settings = ConnectionSettings(endpoints=(url,), signing=signing(keys))
        async with transport(settings, MemoryTokens(), credentials()) as sent:
            error = await refused(sent)
    assert keys.session_token is not None
    assert keys.session_token not in error.message
    assert "Signature=" not in error.message
    assert datetime.now(UTC).strftime("%Y%m%dT") in error.message
