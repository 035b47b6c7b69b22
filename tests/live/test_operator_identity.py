"""A certificate, a token in a Secret, one of the operator's ServiceAccount: OpenSearch knows us by each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from live.conftest import OPERATORS_NAMESPACE, QUIET, namespace_of
from stack import versions
from stack.local import Stack
from stack.opensearch_node import AUDIENCE
from stack.operator_process import NAME, OperatorProcess, start_operator
from support.live_kube import Document
from support.live_sets import CANARY, PASSWORD, ROLE
from support.live_stage import Stage, open_stage

ACCOUNT = f"system:serviceaccount:{OPERATORS_NAMESPACE}:{NAME}"
AUDIENCES = [AUDIENCE, "elsewhere"]


@pytest.fixture(scope="module")
def operator(local_stack: Stack) -> Iterator[OperatorProcess]:
    """Return an operator that may hand out tokens of its account."""
    local_stack.start(opensearch=(versions.OPENSEARCH_2,), kubernetes=True, models=True)
    values = {**QUIET, "serviceAccount": {"tokenAudiences": AUDIENCES}}
    process = start_operator(local_stack, namespace=OPERATORS_NAMESPACE, values=values)
    yield process
    process.stop()


@pytest.fixture
def stage(request: pytest.FixtureRequest, local_stack: Stack, operator: OperatorProcess) -> Iterator[Stage]:
    with open_stage(local_stack, namespace_of(request.node.name), versions.OPENSEARCH_2) as opened:
        yield opened
        if operator.server.is_running():
            opened.kube.delete_all()
            opened.until_nothing_is_left()


def connect(stage: Stage, **auth: Any) -> None:
    """Apply the connection with this login, and with limits that a set notices."""
    limits = {"requestsPerSecond": 10, "burst": 2}
    stage.kube.apply(*stage.sets.connection(auth=auth, limits=limits), stage.sets.key())


def owner(stage: Stage, model_id: str) -> str:
    """Return the user who has registered the model, as OpenSearch knows them."""
    model = stage.remote.get("models", model_id)
    assert model is not None
    connector = stage.remote.get("connectors", model["connector_id"])
    assert connector is not None
    name: str = connector["owner"]["name"]
    return name


def certificate(stage: Stage, name: str) -> Document:
    """Return the Secret with a certificate of the node's authority."""
    authority = stage.sets.node.authority
    assert authority is not None
    chain, key = authority.issue(name)
    secret = stage.sets.secret("certificate", **{"tls.crt": chain.read_text(), "tls.key": key.read_text()})
    return {**secret, "type": "kubernetes.io/tls"}


CERTIFICATE = {"clientCertificate": {"secretRef": {"name": "certificate"}}}


@pytest.mark.exhaustive
@pytest.mark.usefixtures("opensearch_219")
def test_a_client_certificate_logs_in(stage: Stage, operator: OperatorProcess) -> None:
    stage.sets.node.give_role("ml-by-certificate", "ml-by-certificate", ROLE)
    stage.kube.apply(certificate(stage, "ml-by-certificate"))
    connect(stage, **CERTIFICATE)
    assert owner(stage, stage.perform("first")) == "ml-by-certificate"
    stage.kube.apply(certificate(stage, "ml-by-nobody"))
    message = stage.kube.until_reason("OpenSearchConnection", "main", "PermissionDenied")
    assert "opensearch-role.md" in message
    stage.kube.apply(certificate(stage, "ml-by-certificate"))
    stage.kube.until_ready("OpenSearchConnection", "main")
    stage.ready("first")
    assert "PRIVATE KEY" not in operator.log_file.read_text()


@pytest.mark.usefixtures("opensearch_219")
def test_a_certificate_of_a_strange_authority_is_refused(stage: Stage) -> None:
    authority = stage.stack.control_plane.ca_file  # the API server's: OpenSearch does not know it
    folder = authority.parent
    secret = {"tls.crt": (folder / "kube-apiserver.crt").read_text()}
    secret["tls.key"] = (folder / "kube-apiserver.key").read_text()
    stage.kube.apply(stage.sets.secret("certificate", **secret))
    connect(stage, **CERTIFICATE)
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert "does not know the authority" in message or "does not accept" in message
    assert "Check the certificate in the Secret certificate" in message


@pytest.mark.exhaustive
@pytest.mark.usefixtures("opensearch_219")
def test_a_token_in_a_secret_logs_in(stage: Stage) -> None:
    namespace = stage.kube.namespace
    plane = stage.stack.control_plane
    plane.run_kubectl("create", "serviceaccount", "robot", "-n", namespace)
    user = f"system:serviceaccount:{namespace}:robot"
    stage.sets.node.give_role(user, "ml-by-token", ROLE)
    token = plane.run_kubectl("create", "token", "robot", "-n", namespace, f"--audience={AUDIENCE}")
    stage.kube.apply(stage.sets.secret("token", token=token))
    connect(stage, bearer={"secretKeyRef": {"name": "token", "key": "token"}})
    assert owner(stage, stage.perform("first")) == user
    stage.kube.apply(stage.sets.secret("token", token=f"{CANARY}token"))
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert "Check the token in the Secret token" in message
    assert CANARY not in message
    stage.kube.apply(stage.sets.secret("token", token=token))
    stage.kube.until_ready("OpenSearchConnection", "main")


@pytest.mark.usefixtures("opensearch_219")
def test_a_token_of_the_operators_own_account_logs_in(stage: Stage, operator: OperatorProcess) -> None:
    stage.sets.node.give_role(ACCOUNT, "ml-by-account", ROLE)
    connect(stage, bearer={"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 600}})
    assert owner(stage, stage.perform("first")) == ACCOUNT
    connect(stage, bearer={"serviceAccountToken": {"audience": AUDIENCES[1]}})
    stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    connect(stage, bearer={"serviceAccountToken": {"audience": "https://kubernetes.default.svc"}})
    message = stage.kube.until_reason("OpenSearchConnection", "main", "PermissionDenied")
    assert "serviceAccount.tokenAudiences" in message
    connect(stage, bearer={"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 600}})
    stage.kube.until_ready("OpenSearchConnection", "main")
    assert "eyJ" not in operator.log_file.read_text()  # how every JSON Web Token begins
    assert PASSWORD not in operator.log_file.read_text()
