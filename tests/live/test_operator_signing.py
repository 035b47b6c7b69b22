"""OpenSearch 3.6.0 behind a gateway that verifies signatures: of keys in a Secret, and of the pod's role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live.conftest import OPERATORS_NAMESPACE, QUIET, namespace_of
from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.fake_aws import Accounts, Gateway, Givers, Issued, gateway, givers
from support.live_kube import Document
from support.live_stage import Stage, open_stage
from support.live_waiting import until

REGION = "eu-central-1"
POD_ROLE = "arn:aws:iam::123456789012:role/pod"
ROLE = "arn:aws:iam::123456789012:role/ml"
AS_POD = "arn:aws:sts::123456789012:assumed-role/pod/opensearch-ml-operator"
AS_ML = "arn:aws:sts::123456789012:assumed-role/ml/opensearch-ml-operator"


@pytest.fixture(scope="module")
def aws() -> Iterator[Givers]:
    with givers(Accounts(), REGION) as made:
        yield made


@pytest.fixture(scope="module")
def operator(
    local_stack: Stack, aws: Givers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Return an operator whose pod has a role, and whose teams may use it."""
    local_stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    token: Path = tmp_path_factory.mktemp("pod") / "token"
    token.write_text(aws.pod_token)
    process = start_operator(
        local_stack,
        namespace=OPERATORS_NAMESPACE,
        env=aws.environment_of_role(POD_ROLE, str(token)),
        values={**QUIET, "aws": {"identityForTeams": True}},
    )
    yield process
    process.stop()


@pytest.fixture
def stage(request: pytest.FixtureRequest, local_stack: Stack, operator: OperatorProcess) -> Iterator[Stage]:
    assert operator.server.is_running()
    with open_stage(local_stack, namespace_of(request.node.name)) as opened:
        yield opened


@pytest.fixture
def domain(stage: Stage, aws: Givers) -> Iterator[Gateway]:
    """Open the only way of the operator to the node; at the end nothing is left behind it."""
    with gateway(stage.sets.node.url, aws.accounts, REGION) as made:
        yield made
        stage.kube.delete_all()
        stage.until_nothing_is_left()


def keys(stage: Stage, issued: Issued) -> Document:
    return stage.sets.secret("keys", access_key=issued.access_key, secret_key=issued.secret_key)


def connect(stage: Stage, domain: Gateway, **sigv4: Any) -> None:
    auth = {"sigv4": {"region": REGION, **sigv4}}
    stage.kube.apply(*stage.sets.connection(endpoints=[domain.url], auth=auth), stage.sets.key())


@pytest.mark.exhaustive
def test_a_life_with_keys_in_a_secret(
    stage: Stage, domain: Gateway, aws: Givers, operator: OperatorProcess
) -> None:
    """Made, moved to another connector, given other keys, deleted: each call is signed."""
    first, second = aws.accounts.user("first"), aws.accounts.user("second")
    stage.kube.apply(keys(stage, first))
    connect(stage, domain, secretRef={"name": "keys"})
    model = stage.perform("first")
    assert {who for who, _ in domain.passed} == {first.arn}
    stage.kube.apply(keys(stage, second))
    until(lambda: domain.passed[-1][0] == second.arn, seconds=30)
    old = stage.remote.get("models", model)
    assert old is not None
    stage.kube.apply(stage.sets.connector("first", parameters={"new": "yes"}))
    until(lambda: _connector(stage, model) not in (None, old["connector_id"]), seconds=30)
    assert stage.ready("first") == model
    stage.kube.delete_all()
    stage.until_nothing_is_left()
    assert domain.refused == []
    assert {request.method for _, request in domain.passed} == {"GET", "POST", "PUT", "DELETE"}
    log = operator.log_file.read_text()
    assert [each for each in (first, second) if each.secret_key in log or each.access_key in log] == []


@pytest.mark.exhaustive
def test_the_role_of_the_pod_and_one_that_it_assumes(
    stage: Stage, domain: Gateway, aws: Givers, operator: OperatorProcess
) -> None:
    aws.seconds = 20
    connect(stage, domain)
    stage.perform("first")
    given = len(aws.given)
    until(lambda: len(aws.given) >= given + 2, seconds=60)
    connect(stage, domain, roleArn=ROLE)
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert f"{AS_POD} is not authorized to perform: sts:AssumeRole" in message
    aws.trusted[ROLE] = AS_POD
    stage.kube.until_ready("OpenSearchConnection", "main")
    stage.perform("second")
    assert domain.refused == []
    assert {who for who, _ in domain.passed} == {AS_POD, AS_ML}
    log = operator.log_file.read_text()
    assert [each for each in aws.given if each.secret_key in log or str(each.session_token) in log] == []


@pytest.mark.exhaustive
def test_what_aws_refuses_is_shown(stage: Stage, domain: Gateway, aws: Givers) -> None:
    user = aws.accounts.user("ml")
    stage.kube.apply(keys(stage, user))
    connect(stage, domain, secretRef={"name": "keys"}, service="aoss")
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert "scoped to correct service: 'es'" in message
    connect(stage, domain, secretRef={"name": "keys"}, service="es")
    stage.kube.until_ready("OpenSearchConnection", "main")
    domain.allowed = set()
    message = stage.kube.until_reason("OpenSearchConnection", "main", "PermissionDenied")
    assert f"User: {user.arn} is not authorized to perform: es:ESHttp" in message
    domain.allowed = None
    aws.accounts.revoke(user)
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert "security token included in the request is invalid" in message
    assert user.secret_key not in message


def _connector(stage: Stage, model: str) -> str | None:
    """Return the connector that a model uses now."""
    found = stage.remote.get("models", model)
    return None if found is None else found["connector_id"]
