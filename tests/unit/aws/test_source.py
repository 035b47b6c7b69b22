"""Keys from whom the environment names, their renewal, and what is told of a refusal."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opensearch_ml_operator.aws import exchange
from opensearch_ml_operator.aws.source import Credentials
from opensearch_ml_operator.errors import AWSError, AWSRefusedError
from opensearch_ml_operator.reconcilers.aws import AWSIdentity, AWSKeys, Outgoing, Signing
from support.fake_aws import Accounts, Givers, Issued, givers
from support.fake_aws.web import Reply, serve

REGION = "eu-central-1"
POD_ROLE = "arn:aws:iam::123456789012:role/pod"
ROLE = "arn:aws:iam::123456789012:role/ml"
POD = AWSIdentity(REGION)


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def accounts(time: Time) -> Accounts:
    return Accounts(time)


@pytest.fixture
def aws(accounts: Accounts) -> Iterator[Givers]:
    with givers(accounts, REGION) as made:
        yield made


@pytest.fixture
def environment(aws: Givers, tmp_path: Path) -> Mapping[str, str]:
    file = tmp_path / "token"
    file.write_text(f"{aws.pod_token}\n")
    return aws.environment_of_role(POD_ROLE, str(file))


def source(
    environment: Mapping[str, str] | None, time: Time, learned: list[bytes] | None = None
) -> Credentials:
    learn = [] if learned is None else learned
    return Credentials(environment, for_teams=False, learn=learn.append, now=time)


def keys_of(issued: Issued) -> AWSKeys:
    return AWSKeys(issued.access_key, issued.secret_key, issued.session_token, issued.expires)


async def test_keys_of_a_secret_are_used_as_they_are(aws: Givers, time: Time) -> None:
    keys = AWSKeys("AKIA", "secret")
    assert await source({}, time).credentials(AWSIdentity(REGION, keys)) == keys
    assert aws.asked == []


async def test_the_role_of_the_service_account(
    aws: Givers, environment: Mapping[str, str], time: Time
) -> None:
    learned: list[bytes] = []
    got = await source(environment, time, learned).credentials(POD)
    (issued,) = aws.given
    assert got == keys_of(issued)
    assert issued.arn == "arn:aws:sts::123456789012:assumed-role/pod/opensearch-ml-operator"
    secrets = [aws.pod_token, got.access_key, got.secret_key, got.session_token or ""]
    assert learned == [secret.encode() for secret in secrets]
    for secret in learned:
        assert secret.decode() not in repr(got)


async def test_the_agent_of_the_container(aws: Givers, time: Time, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(aws.agent_token)
    assert await source(aws.environment_of_agent(str(file)), time).credentials(POD) == keys_of(aws.given[0])
    variable = {**aws.environment_of_agent(""), "AWS_CONTAINER_AUTHORIZATION_TOKEN": aws.agent_token}
    assert await source(variable, time).credentials(POD) == keys_of(aws.given[1])
    variable["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "another"
    with pytest.raises(AWSError, match="does not give the pod's keys"):
        await source(variable, time).credentials(POD)


async def test_keys_in_variables_come_first(environment: Mapping[str, str], time: Time) -> None:
    given = {**environment, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert await source(given, time).credentials(POD) == AWSKeys("AKIA", "secret")
    given["AWS_SESSION_TOKEN"] = "token"
    assert await source(given, time).credentials(POD) == AWSKeys("AKIA", "secret", "token")


async def test_a_role_is_assumed_by_the_pod(aws: Givers, environment: Mapping[str, str], time: Time) -> None:
    aws.trusted[ROLE] = "arn:aws:sts::123456789012:assumed-role/pod/opensearch-ml-operator"
    got = await source(environment, time).credentials(AWSIdentity(REGION, role_arn=ROLE))
    assert [each.arn.split("/")[1] for each in aws.given] == ["pod", "ml"]
    assert got == keys_of(aws.given[1])


async def test_a_role_is_assumed_with_the_keys_of_a_secret(aws: Givers, time: Time) -> None:
    user = aws.accounts.user("ml")
    aws.trusted[ROLE] = user.arn
    environment = {"AWS_ENDPOINT_URL_STS": aws.url}
    wanted = AWSIdentity(REGION, keys_of(user), ROLE)
    got = await source(environment, time).credentials(wanted)
    assert (got, aws.asked) == (keys_of(aws.given[0]), ["AssumeRole"])


async def test_they_are_renewed_five_minutes_before_their_end(
    aws: Givers, environment: Mapping[str, str], time: Time
) -> None:
    made = source(environment, time)
    await asyncio.gather(*(made.credentials(POD) for _ in range(20)))
    time.passes(minutes=54, seconds=59)
    await made.credentials(POD)
    assert len(aws.given) == 1
    time.passes(seconds=1)
    assert await made.credentials(POD) == keys_of(aws.given[1])
    assert len(aws.given) == 2


async def test_short_lives_are_used_for_four_fifths(
    aws: Givers, environment: Mapping[str, str], time: Time
) -> None:
    aws.seconds = 50
    made = source(environment, time)
    await made.credentials(POD)
    time.passes(seconds=39)
    await made.credentials(POD)
    assert len(aws.given) == 1
    time.passes(seconds=1)
    await made.credentials(POD)
    assert len(aws.given) == 2


async def test_while_nobody_gives_new_ones_the_old_ones_are_used_to_their_end(
    aws: Givers, environment: Mapping[str, str], time: Time
) -> None:
    made = source(environment, time)
    first = await made.credentials(POD)
    aws.refusal = (503, "", "")
    time.passes(minutes=56)
    assert await made.credentials(POD) == first
    asked = len(aws.asked)
    time.passes(seconds=9)
    assert await made.credentials(POD) == first
    assert len(aws.asked) == asked
    time.passes(minutes=4)
    with pytest.raises(AWSError, match="HTTP 503"):
        await made.credentials(POD)
    aws.refusal = None
    assert await made.credentials(POD) != first


async def test_those_that_were_refused_are_not_used_again(
    aws: Givers, environment: Mapping[str, str], time: Time
) -> None:
    made = source(environment, time)
    await made.credentials(POD)
    made.forget(POD)
    made.forget(POD)
    assert await made.credentials(POD) == keys_of(aws.given[1])


async def test_the_keys_of_roles_that_have_ended_are_dropped(aws: Givers, time: Time) -> None:
    """Each rotation of a Secret makes an identity of its own."""
    made = source({"AWS_ENDPOINT_URL_STS": aws.url}, time)
    for number in range(3):
        user = aws.accounts.user(f"ml-{number}")
        aws.trusted[ROLE] = user.arn
        await made.credentials(AWSIdentity(REGION, keys_of(user), ROLE))
        time.passes(hours=2)
    assert len(made._kept) == 1  # noqa: SLF001 - nothing else shows what is remembered


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        ((403, "AccessDenied", "Not &amp; yours"), AWSRefusedError, "HTTP 403 AccessDenied: Not & yours"),
        (
            (400, "ExpiredTokenException", "Token expired."),
            AWSRefusedError,
            "ExpiredTokenException: Token expired)",
        ),
        ((400, "Throttling", "Rate exceeded"), AWSError, "Throttling"),
        ((429, "Slow", "down"), AWSError, "HTTP 429"),
        ((500, "InternalFailure", ""), AWSError, "HTTP 500"),
        ((403, "", ""), AWSError, "HTTP 403"),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_aws(
    aws: Givers,
    environment: Mapping[str, str],
    time: Time,
    refusal: tuple[int, str, str],
    kind: type[AWSError],
    words: str,
) -> None:
    aws.refusal = refusal
    with pytest.raises(AWSError) as error:
        await source(environment, time).credentials(POD)
    assert type(error.value) is kind
    assert words in str(error.value)
    assert POD_ROLE in str(error.value)
    assert aws.pod_token not in str(error.value)


async def test_whoever_has_no_identity_is_told_where_it_would_be(time: Time) -> None:
    with pytest.raises(AWSRefusedError, match="AWS_WEB_IDENTITY_TOKEN_FILE"):
        await source({"AWS_ROLE_ARN": POD_ROLE}, time).credentials(POD)
    with pytest.raises(AWSRefusedError, match="which nobody else has"):
        await source(None, time).credentials(POD)


async def test_a_token_that_cannot_be_read_is_named(time: Time, tmp_path: Path) -> None:
    environment = {"AWS_ROLE_ARN": POD_ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none")}
    with pytest.raises(AWSRefusedError, match="none cannot be read"):
        await source(environment, time).credentials(POD)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, '{"AccessKeyId": 1, "SecretAccessKey": {}}', '{"AccessKeyId": "A",'],
)
async def test_answers_without_keys_are_none(time: Time, text: str) -> None:
    with serve(lambda _: Reply(200, text.encode())) as url:
        agent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        service = {"AWS_ROLE_ARN": POD_ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": __file__}
        for environment in (agent, {**service, "AWS_ENDPOINT_URL_STS": url}):
            with pytest.raises(AWSError, match="holds no keys"):
                await source(environment, time).credentials(POD)


async def test_without_a_time_of_their_end_temporary_keys_are_none(time: Time) -> None:
    text = b'{"AccessKeyId": "A", "SecretAccessKey": "B", "Token": "C", "Expiration": "soon"}'
    with serve(lambda _: Reply(200, text)) as url, pytest.raises(AWSError, match="holds no keys"):
        await source({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}, time).credentials(POD)


async def test_an_endless_answer_is_not_read(time: Time) -> None:
    with serve(lambda _: Reply(200, b"x" * 300_000)) as url, pytest.raises(AWSError, match="too long"):
        await source({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}, time).credentials(POD)


async def test_who_does_not_answer_is_named(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, monkeypatch.context() as patch:
        patch.setattr(exchange, "SECONDS", 0.2)
        port = listening.getsockname()[1]
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/"}
        with pytest.raises(AWSError, match=f"127.0.0.1:{port} does not answer in time"):
            await source(environment, time).credentials(POD)
    for bad in (f"http://127.0.0.1:{port}/", "nonsense"):
        with pytest.raises(AWSError, match="cannot be reached"):
            await source({"AWS_CONTAINER_CREDENTIALS_FULL_URI": bad}, time).credentials(POD)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
        ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov"),
    ],
)
async def test_each_region_has_a_service_of_its_own(
    time: Time, region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def ask(_: str, url: str, **__: Any) -> exchange.Answer:
        asked.append(url)
        return exchange.Answer(500, "")

    monkeypatch.setattr(exchange, "ask", ask)
    wanted = AWSIdentity(region, AWSKeys("AKIA", "secret"), ROLE)
    for environment in ({}, {"AWS_REGION": "us-east-1"}, {"AWS_ENDPOINT_URL_STS": "https://sts.example/"}):
        with pytest.raises(AWSError):
            await source(environment, time).credentials(wanted)
    assert asked == [f"https://{host}/", "https://sts.us-east-1.amazonaws.com/", "https://sts.example/"]


async def test_without_the_library_it_is_said_what_is_missing(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "awscrt", None)
    monkeypatch.delitem(sys.modules, "opensearch_ml_operator.aws.signature", raising=False)
    monkeypatch.delattr("opensearch_ml_operator.aws.signature", raising=False)
    signing = Signing(AWSIdentity(REGION, AWSKeys("AKIA", "secret")), "es")
    with pytest.raises(AWSRefusedError, match=r"opensearch-ml-operator\[aws\]"):
        await source({}, time).sign(signing, Outgoing("GET", "host", "/", b""))
