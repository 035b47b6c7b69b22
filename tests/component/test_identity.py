"""Each way to log in, from the Secret or the ServiceAccount to the cluster, and its change while in use."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from stack.certificates import Authority
from support.eventually import eventually
from support.fake_kube import Fault
from support.scene import CONNECTIONS, MODELS, Scene

from .conftest import Stage

USERS = {"admin": "password-of-admin"}
ACCOUNT: dict[str, Any] = {"bearer": {"serviceAccountToken": {"audience": "search"}}}
TOKENS = {
    "token_audiences": "search",
    "service_account": "operator",
    "service_account_namespace": "ml",
}


def bearer(key: str = "token") -> dict[str, Any]:
    return {"bearer": {"secretKeyRef": {"name": "login", "key": key}}}


def everything_but_the_login(world: Scene, **connection: Any) -> None:
    world.everything()
    world.edit(CONNECTIONS, "main", healthInterval="5s", **connection)


async def becomes(world: Scene, reason: str) -> str:
    condition = await world.becomes(CONNECTIONS, "main", "Reachable", reason)
    message: str = condition["message"]
    return message


async def test_a_token_in_a_secret_and_its_rotation(stage: Stage) -> None:
    world = await stage(users=USERS)
    world.ml.user_of_token = {"first.token": "admin", "second.token": "admin"}.get
    world.secret("login", token="first.token\n")
    everything_but_the_login(world, auth={"basic": None, **bearer()})
    await world.ready()
    world.ml.user_of_token = {"second.token": "admin"}.get
    message = await becomes(world, "AuthenticationFailed")
    assert "Check the token in the Secret login" in message
    world.secret("login", token="second.token")
    world.edit(MODELS, "model", description="After the rotation")
    await world.ready(seconds=30)
    world.check_one_each()


@pytest.mark.parametrize("token", ["two words", "a\nb", "söme"])
async def test_what_is_no_token_is_not_sent(stage: Stage, token: str) -> None:
    world = await stage(users=USERS)
    world.secret("login", token=token)
    world.connection(auth=bearer())
    assert "is no token" in await becomes(world, "SecretKeyMissing")
    assert world.ml.count() == 0
    world.edit(CONNECTIONS, "main", auth=bearer("other"))
    await eventually(lambda: "key other" in world.condition(CONNECTIONS, "main")["message"])


async def test_tokens_of_the_service_account_are_renewed_without_a_failed_call(stage: Stage) -> None:
    world = await stage(users=USERS, settings=TOKENS, speed=30.0)
    world.kube.create("serviceaccounts", {"metadata": {"name": "operator"}}, "ml")
    world.kube.limit_tokens(60)
    world.ml.user_of_token = lambda token: "admin" if token in world.kube.issued_tokens[-1:] else None
    everything_but_the_login(world, auth={"basic": None, **ACCOUNT})
    await world.ready()
    world.ml.requests.clear()
    seen = len(world.kube.issued_tokens)
    await eventually(lambda: len(world.kube.issued_tokens) >= seen + 3, seconds=30)
    await eventually(lambda: world.ml.requests[-1].status == 200)
    assert {call.status for call in world.ml.requests} == {200}
    assert world.is_ready(CONNECTIONS, "main")


async def test_a_token_that_the_cluster_no_longer_takes_is_renewed(stage: Stage) -> None:
    world = await stage(users=USERS, settings=TOKENS)
    world.kube.create("serviceaccounts", {"metadata": {"name": "operator"}}, "ml")
    good = [1]
    world.ml.user_of_token = lambda token: "admin" if token.endswith(f".{good[0]}-of-the-fake") else None
    everything_but_the_login(world, auth={"basic": None, **ACCOUNT})
    await world.ready()
    good[0] = 2
    world.edit(MODELS, "model", description="With the second token")
    await eventually(lambda: len(world.kube.issued_tokens) == 2, seconds=20)
    await world.ready(seconds=30)
    world.check_one_each()


async def test_an_audience_must_be_allowed(world: Scene) -> None:
    world.connection(auth=ACCOUNT)
    message = await becomes(world, "PermissionDenied")
    assert "serviceAccount.tokenAudiences" in message
    assert world.kube.issued_tokens == []


async def test_a_right_that_is_missing_is_named(stage: Stage) -> None:
    world = await stage(settings=TOKENS)
    world.kube.create("serviceaccounts", {"metadata": {"name": "operator"}}, "ml")
    world.kube.fail(Fault(verb="create", resource="serviceaccounts", status=403, times=-1))
    world.connection(auth=ACCOUNT)
    assert "create serviceaccounts/token 'operator'" in await becomes(world, "PermissionDenied")
    world.kube.heal()
    world.look_again(CONNECTIONS, "main")
    await world.ready()


async def test_without_a_login_the_cluster_asks_for_one(stage: Stage) -> None:
    world = await stage(users=USERS)
    world.connection(auth={})
    assert "set spec.auth" in await becomes(world, "AuthenticationFailed")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority")


def certificate(world: Scene, authority: Authority, name: str) -> None:
    chain, key = authority.issue(name)
    world.secret("login", **{"tls.crt": chain.read_text(), "tls.key": key.read_text()})


async def test_a_client_certificate_and_its_rotation(stage: Stage, authority: Authority) -> None:
    """Both names are good all the time, as with cert-manager: nothing fails, and the new one is used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca_file)
    context.load_cert_chain(*authority.issue("server"))
    context.verify_mode = ssl.CERT_OPTIONAL
    world = await stage(users={"admin": "password", "next": "password"}, tls=context)
    certificate(world, authority, "admin")
    world.secret("ca", **{"ca.crt": authority.ca_file.read_text()})
    auth = {"basic": None, "clientCertificate": {"secretRef": {"name": "login"}}}
    everything_but_the_login(world, auth=auth, tls={"caRef": {"kind": "Secret", "name": "ca"}})
    await world.ready()
    assert {call.user for call in world.ml.requests if call.status == 200} == {"admin"}
    world.ml.requests.clear()
    certificate(world, authority, "next")
    await eventually(lambda: any(call.user == "next" for call in world.ml.requests), seconds=20)
    world.edit(MODELS, "model", description="With the new certificate")
    await world.ready(seconds=30)
    assert {call.status for call in world.ml.requests} <= {200}
    world.ml.requests.clear()
    certificate(world, authority, "stranger")
    assert "Check the certificate in the Secret login" in await becomes(world, "AuthenticationFailed")
