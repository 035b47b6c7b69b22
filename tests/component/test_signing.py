"""Signed requests: a whole life behind a gateway that lets nothing else through, and what can be wrong."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from opensearch_ml_operator.logs import set_up
from support.command_line import run
from support.eventually import eventually
from support.fake_aws import Accounts, Gateway, Givers, Issued, gateway, givers
from support.fake_kube.calls import RESOURCES
from support.scene import CLUSTER_CONNECTIONS, CONNECTIONS, CONNECTORS, MODELS, Scene

from .conftest import Stage
from .test_canary import forms, root_logger

__all__ = ["root_logger"]  # a fixture

REGION: Final = "eu-central-1"
ROLE: Final = "arn:aws:iam::123456789012:role/ml"
POD_ROLE: Final = "arn:aws:iam::123456789012:role/pod"
ME: Final = "opensearch-ml-operator"
AS_ML: Final = f"arn:aws:sts::123456789012:assumed-role/ml/{ME}"
AS_POD: Final = f"arn:aws:sts::123456789012:assumed-role/pod/{ME}"
TEAMS: Final = {"aws_identity_for_teams": True}


@dataclass(slots=True)
class Amazon:
    """AWS around the fakes: accounts, who gives keys, and the addresses of the domain."""

    accounts: Accounts
    givers: Givers
    _open: ExitStack
    domains: list[Gateway] = field(default_factory=list)

    def domain(self, world: Scene, **how: Any) -> Gateway:
        """Put an address before the cluster; from now on the clock of AWS is the operator's."""
        self.accounts.now = world.operator.now
        made = self._open.enter_context(gateway(world.ml.url, self.accounts, REGION, **how))
        self.domains.append(made)
        return made

    @property
    def passed(self) -> list[str]:
        """Who has got through, call by call."""
        return [who for domain in self.domains for who, _ in domain.passed]

    @property
    def refused(self) -> list[str]:
        """What was said to those who have not."""
        return [words for domain in self.domains for words, _ in domain.refused]


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Amazon]:
    """Open AWS, and let the operator's pod have a role there."""
    accounts = Accounts()
    with ExitStack() as open_, givers(accounts, REGION) as its:
        token = tmp_path / "token"
        token.write_text(its.pod_token)
        for name, value in its.environment_of_role(POD_ROLE, str(token)).items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        yield Amazon(accounts, its, open_)


def sigv4(**fields: Any) -> dict[str, Any]:
    return {"sigv4": {"region": REGION, **fields}}


def keys(world: Scene, issued: Issued, **other: str) -> None:
    data = {"access_key": issued.access_key, "secret_key": issued.secret_key}
    if issued.session_token is not None:
        data["session_token"] = issued.session_token
    world.secret("keys", **{**data, **other})


def connect(world: Scene, domain: Gateway, **fields: Any) -> None:
    """Create everything, on a connection with this login."""
    world.connection(endpoints=[domain.url], auth=sigv4(**fields), healthInterval="5s")
    world.secret("key", token="value-of-the-credential")
    world.group()
    world.connector()
    world.model()


async def becomes(world: Scene, reason: str, *, seconds: float = 20.0) -> str:
    condition = await world.becomes(CONNECTIONS, "main", "Reachable", reason, seconds=seconds)
    message: str = condition["message"]
    return message


@pytest.mark.parametrize("service", ["es", "aoss"])
async def test_a_whole_life_is_signed(stage: Stage, amazon: Amazon, service: str) -> None:
    """Created, moved to another connector, deleted: no call that the gateway has not verified."""
    world = await stage()
    domain = amazon.domain(world, service=service)
    user = amazon.accounts.user("ml")
    keys(world, user)
    connect(world, domain, service=service, secretRef={"name": "keys"})
    await world.ready(seconds=30)
    world.check_one_each()
    before = set(world.ml.connectors)
    world.edit(CONNECTORS, "connector", parameters={"model": "large"}, update={"keepOldFor": "1s"})
    await eventually(lambda: not before & set(world.ml.connectors), seconds=20)
    await world.ready(seconds=30)
    world.check_one_each()
    world.delete_everything()
    await world.gone(seconds=30)
    assert world.nothing_left
    assert (amazon.refused, set(amazon.passed)) == ([], {user.arn})
    methods = {request.method for _, request in domain.passed}
    assert methods == {"GET", "POST", "PUT", "DELETE"}
    assert len(domain.passed) == len(world.ml.requests)


async def test_new_keys_in_the_secret_are_used(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    first, second = amazon.accounts.user("first"), amazon.accounts.user("second")
    keys(world, first)
    connect(world, amazon.domain(world), secretRef={"name": "keys"})
    await world.ready(seconds=30)
    keys(world, second)
    await eventually(lambda: second.arn in amazon.passed, seconds=20)
    world.edit(MODELS, "model", description="By the second")
    await world.ready(seconds=30)
    amazon.accounts.revoke(second)
    message = await becomes(world, "AuthenticationFailed")
    assert "security token included in the request is invalid" in message
    assert "Check that the keys in the Secret keys are valid" in message
    keys(world, amazon.accounts.user("third"))
    await world.ready(seconds=30)


@pytest.mark.exhaustive
async def test_the_pod_is_renewed_before_its_keys_end(stage: Stage, amazon: Amazon) -> None:
    world = await stage(settings=TEAMS, speed=30.0)
    amazon.givers.seconds = 100
    connect(world, amazon.domain(world))
    await world.ready(seconds=30)
    await eventually(lambda: len(amazon.givers.given) >= 4, seconds=60)
    await world.ready()
    assert (amazon.refused, set(amazon.passed)) == ([], {AS_POD})


async def test_the_pod_assumes_a_role(stage: Stage, amazon: Amazon) -> None:
    world = await stage(settings=TEAMS)
    connect(world, amazon.domain(world), roleArn=ROLE)
    message = await becomes(world, "AuthenticationFailed")
    assert f"{AS_POD} is not authorized to perform: sts:AssumeRole" in message
    assert f"the trust policy of {ROLE}" in message
    amazon.givers.trusted[ROLE] = AS_POD
    await world.ready(seconds=30)
    assert (amazon.refused, set(amazon.passed)) == ([], {AS_ML})


async def test_a_user_assumes_a_role(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    user = amazon.accounts.user("ml")
    amazon.givers.trusted[ROLE] = user.arn
    keys(world, user)
    connect(world, amazon.domain(world), roleArn=ROLE, secretRef={"name": "keys"})
    await world.ready(seconds=30)
    assert (amazon.refused, set(amazon.passed)) == ([], {AS_ML})


async def test_keys_that_were_revoked_are_asked_for_again(stage: Stage, amazon: Amazon) -> None:
    world = await stage(settings=TEAMS)
    connect(world, amazon.domain(world))
    await world.ready(seconds=30)
    amazon.accounts.revoke(amazon.givers.given[-1])
    world.edit(MODELS, "model", description="After that")
    await eventually(lambda: len(amazon.givers.given) == 2, seconds=20)
    await world.ready(seconds=30)
    world.check_one_each()


async def test_a_team_is_not_the_pod_unless_it_may(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    connect(world, amazon.domain(world))
    assert "aws.identityForTeams" in await becomes(world, "PermissionDenied")
    world.edit(CONNECTIONS, "main", auth=sigv4(roleArn=ROLE))
    assert "aws.identityForTeams" in await becomes(world, "PermissionDenied")
    assert (amazon.givers.asked, amazon.passed, amazon.refused) == ([], [], [])


async def test_the_platform_is_the_pod(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    domain = amazon.domain(world)
    spec = {"endpoints": [domain.url], "auth": {"sigv4": {"region": REGION}}}
    world.kube.create(CLUSTER_CONNECTIONS, {"metadata": {"name": "products"}, "spec": spec}, "")
    await eventually(lambda: AS_POD in amazon.passed, seconds=20)


async def test_each_endpoint_gets_a_signature_of_its_own(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    first, second = amazon.domain(world), amazon.domain(world)
    keys(world, amazon.accounts.user("ml"))
    connect(world, first, secretRef={"name": "keys"})
    world.edit(CONNECTIONS, "main", endpoints=["http://127.0.0.1:1", second.url, first.url])
    await world.ready(seconds=30)
    assert amazon.refused == []
    assert second.passed


@pytest.mark.parametrize(
    ("fields", "said", "help_"),
    [
        ({"region": "eu-west-1"}, "scoped to a valid region, not 'eu-west-1'", "auth.sigv4.region"),
        ({"service": "aoss"}, "scoped to correct service: 'es'", "auth.sigv4.service"),
    ],
)
async def test_another_region_or_service(
    stage: Stage, amazon: Amazon, fields: dict[str, str], said: str, help_: str
) -> None:
    world = await stage()
    keys(world, amazon.accounts.user("ml"))
    connect(world, amazon.domain(world), secretRef={"name": "keys"}, **fields)
    message = await becomes(world, "AuthenticationFailed")
    assert said in message
    assert help_ in message
    world.edit(CONNECTIONS, "main", auth={"sigv4": {"region": REGION, "service": "es"}})
    await world.ready(seconds=30)


async def test_a_wrong_secret_key(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    user = amazon.accounts.user("ml")
    keys(world, user, secret_key="not/it")
    connect(world, amazon.domain(world), secretRef={"name": "keys"})
    message = await becomes(world, "AuthenticationFailed")
    assert "signature we calculated does not match" in message
    assert "the Secret keys" in message
    assert "something on the way changes the request" in message
    keys(world, user)
    await world.ready(seconds=30)


@pytest.mark.exhaustive
async def test_a_session_that_has_ended(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    domain = amazon.domain(world)
    keys(world, amazon.accounts.session("arn:of:somebody", 60))
    connect(world, domain, secretRef={"name": "keys"})
    await world.ready(seconds=30)
    message = await becomes(world, "AuthenticationFailed", seconds=30)
    assert "token included in the request is expired" in message
    assert "the Secret keys are valid and not expired" in message


@pytest.mark.parametrize(("minutes", "said"), [(6, "Signature expired"), (-6, "Signature not yet current")])
async def test_a_clock_that_is_wrong(stage: Stage, amazon: Amazon, minutes: int, said: str) -> None:
    world = await stage()
    domain = amazon.domain(world)
    amazon.accounts.now = lambda: world.operator.now() + timedelta(minutes=minutes)
    keys(world, amazon.accounts.user("ml"))
    connect(world, domain, secretRef={"name": "keys"})
    message = await becomes(world, "AuthenticationFailed")
    assert said in message
    assert "Set the clock of the operator's node" in message
    amazon.accounts.now = world.operator.now
    await world.ready(seconds=30)


async def test_an_identity_without_rights(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    user = amazon.accounts.user("ml")
    domain = amazon.domain(world, allowed=set())
    keys(world, user)
    connect(world, domain, secretRef={"name": "keys"})
    message = await becomes(world, "PermissionDenied")
    assert f"User: {user.arn} is not authorized to perform: es:ESHttpGet" in message
    assert "access policy of the domain" in message
    domain.allowed = {user.arn}
    await world.ready(seconds=30)


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (None, "SecretNotFound", "Secret keys does not exist"),
        ({"access_key": "AKIA"}, "SecretKeyMissing", "no value under the key secret_key"),
        ({"access_key": "AKIA", "secret_key": "two words"}, "SecretKeyMissing", "has blanks"),
        ({"access_key": "A", "secret_key": "b", "session_token": ""}, "SecretKeyMissing", "session_token"),
    ],
)
async def test_a_secret_that_is_not_what_it_should_be(
    stage: Stage, amazon: Amazon, data: dict[str, str] | None, reason: str, said: str
) -> None:
    world = await stage()
    if data is not None:
        world.secret("keys", **data)
    connect(world, amazon.domain(world), secretRef={"name": "keys"})
    assert said in await becomes(world, reason)
    assert (amazon.passed, amazon.refused) == ([], [])


async def test_a_service_that_is_away_is_waited_for(stage: Stage, amazon: Amazon) -> None:
    world = await stage(settings=TEAMS)
    amazon.givers.refusal = (503, "ServiceUnavailable", "Please try again")
    connect(world, amazon.domain(world))
    assert "ServiceUnavailable: Please try again" in await becomes(world, "Unreachable")
    amazon.givers.refusal = None
    await world.ready(seconds=30)


async def test_doctor_signs_with_the_keys_of_a_secret(stage: Stage, amazon: Amazon) -> None:
    world = await stage()
    domain = amazon.domain(world)
    user = amazon.accounts.user("ml")
    keys(world, user)
    connect(world, domain, secretRef={"name": "keys"})
    await world.ready(seconds=30)
    await world.operator.stop()
    amazon.accounts.now = lambda: datetime.now(UTC)
    domain.passed.clear()
    passed = await doctor(world)
    assert passed["identity"]["verdict"] == "ok"
    assert {who for who, _ in domain.passed} == {user.arn}
    amazon.accounts.revoke(user)
    refused = (await doctor(world))["identity"]
    assert "security token included in the request is invalid" in refused["message"]
    assert "aws sts get-caller-identity" in refused["fixes"][0]["command"]
    world.edit(CONNECTIONS, "main", auth={"sigv4": {"secretRef": None}})
    assert "own pod in AWS, which nobody else has" in (await doctor(world))["Secret"]["message"]


async def doctor(world: Scene) -> dict[str, dict[str, Any]]:
    """Return the checks of the connection."""
    environ = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    ran = await run("doctor", "-n", world.namespace, "-o", "json", environ=environ)
    (section,) = [each for each in ran.document["sections"] if each["title"].endswith("team/main")]
    return {check["name"]: check for check in section["checks"]}


@asynccontextmanager
async def told(world: Scene, secrets: set[str]) -> AsyncIterator[None]:
    """Search all that has got out at the end for any form of the secrets."""
    lines = io.StringIO()
    set_up(world.operator.redactor, level="debug", style="json", stream=lines)
    yield
    emitted = {plural: json.dumps(world.kube.objects(plural)) for plural in RESOURCES if plural != "secrets"}
    emitted["log"] = lines.getvalue()
    emitted["metrics"] = world.operator.metrics.scrape()().decode()
    for where, text in emitted.items():
        for secret in secrets:
            assert [where for form in forms(secret) if form in text] == []


@pytest.mark.parametrize("login", ["secret", "pod"])
async def test_no_form_of_a_key_gets_out(
    stage: Stage, amazon: Amazon, root_logger: logging.Logger, login: str
) -> None:
    world = await stage(settings=TEAMS)
    secrets: set[str] = set()
    async with told(world, secrets):
        assert root_logger.handlers
        domain = amazon.domain(world)
        issued = amazon.accounts.session("arn:of:somebody", 3600)
        keys(world, issued)
        connect(world, domain, **({"secretRef": {"name": "keys"}} if login == "secret" else {}))
        await world.ready(seconds=30)
        used = issued if login == "secret" else amazon.givers.given[-1]
        assert used.session_token is not None
        secrets |= {used.access_key, used.secret_key, used.session_token, amazon.givers.pod_token}
        for form in sorted(form for secret in secrets for form in forms(secret)):
            world.ml.fail("update-model", status=400, reason=f"cannot take {form} for a credential")
        world.edit(MODELS, "model", description="x")
        await world.becomes(MODELS, "model", "Synced", "Rejected")
        world.ml.heal()
        amazon.accounts.revoke(used)
        amazon.givers.refusal = (403, "AccessDenied", f"{used.session_token}, {amazon.givers.pod_token}")
        await becomes(world, "AuthenticationFailed")
