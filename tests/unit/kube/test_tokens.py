"""Tokens of the operator's own ServiceAccount: asked for once, renewed in time, never lost to an outage."""

from __future__ import annotations

import asyncio

import pytest

from opensearch_ml_operator.errors import KubernetesForbiddenError, KubernetesUnavailableError
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.tokens import KubeTokenSource
from opensearch_ml_operator.reconcilers.ports import AccountToken
from support.fake_kube import FakeKube, Fault

WANTED = AccountToken("search", 3600)


class Source:
    """The source, with a clock that tests set and the secrets that it has told of."""

    def __init__(self, client: KubeClient) -> None:
        self.time = 0.0
        self.learned: list[bytes] = []
        self.tokens = KubeTokenSource(
            client,
            namespace="ml",
            name="operator",
            audiences=("search",),
            learn=self.learned.append,
            clock=lambda: self.time,
        )

    async def at(self, time: float, wanted: AccountToken = WANTED) -> str:
        self.time = time
        return await self.tokens.token(wanted)


@pytest.fixture
def source(kube: FakeKube, client: KubeClient) -> Source:
    kube.create("serviceaccounts", {"metadata": {"name": "operator"}}, "ml")
    return Source(client)


def test_only_named_audiences_are_allowed(source: Source) -> None:
    assert source.tokens.allowed("search")
    assert not source.tokens.allowed("https://kubernetes.default.svc")


async def test_a_token_is_renewed_after_four_fifths_of_its_life(kube: FakeKube, source: Source) -> None:
    first = await source.at(0)
    assert [await source.at(time) for time in (1, 2879)] == [first, first]
    second = await source.at(2880)
    assert second != first
    assert kube.issued_tokens == [first, second]
    assert source.learned == [first.encode(), second.encode()]
    assert kube.counts["create", "serviceaccounts", "token"] == 2


async def test_the_life_is_what_the_server_grants(kube: FakeKube, source: Source) -> None:
    kube.limit_tokens(1000)
    first = await source.at(0)
    assert await source.at(799) == first
    assert await source.at(800) != first


async def test_many_who_ask_at_once_cost_one_request(kube: FakeKube, source: Source) -> None:
    tokens = await asyncio.gather(*(source.at(0) for _ in range(8)))
    assert set(tokens) == set(kube.issued_tokens)
    assert len(kube.issued_tokens) == 1


async def test_audiences_and_lives_do_not_share_tokens(kube: FakeKube, source: Source) -> None:
    tokens = {await source.at(0, AccountToken(name, n)) for name in ("a", "b") for n in (600, 700)}
    assert len(tokens) == 4
    assert len(kube.issued_tokens) == 4


async def test_the_old_token_serves_while_the_api_server_is_away(kube: FakeKube, source: Source) -> None:
    first = await source.at(0)
    kube.fail(Fault(verb="create", resource="serviceaccounts", status=503, times=2))
    assert await source.at(2900) == first
    assert await source.at(2909) == first  # too early to ask again
    assert await source.at(2910) == first
    assert await source.at(2920) != first


async def test_an_expired_token_is_given_to_nobody(kube: FakeKube, source: Source) -> None:
    await source.at(0)
    kube.fail(Fault(verb="create", resource="serviceaccounts", status=503, times=1))
    with pytest.raises(KubernetesUnavailableError):
        await source.at(3600)


async def test_a_refused_token_is_forgotten(source: Source) -> None:
    first = await source.at(0)
    source.tokens.forget(WANTED)
    source.tokens.forget(WANTED)
    assert await source.at(1) != first


async def test_a_refusal_names_the_account(kube: FakeKube, source: Source) -> None:
    kube.fail(Fault(verb="create", resource="serviceaccounts", status=403, times=1))
    with pytest.raises(KubernetesForbiddenError, match="create serviceaccounts/token 'operator'"):
        await source.at(0)
    kube.delete("serviceaccounts", "operator", "ml")
    with pytest.raises(KubernetesForbiddenError, match="create serviceaccounts/token 'operator'"):
        await source.at(0)
