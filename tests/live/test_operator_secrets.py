"""Nothing that the operator emits holds a secret: objects, Events, log, metrics, remote descriptions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_kube import OURS
from support.live_metrics import scrape
from support.live_sets import CANARY, KEY, PASSWORD
from support.live_stage import Stage, open_stage

REFUSED = f"{CANARY}refused"


@pytest.fixture
def stage(local_stack: Stack) -> Iterator[Stage]:
    local_stack.start(opensearch=(versions.OPENSEARCH_2,), kubernetes=True, models=True)
    with open_stage(local_stack, "secrets", versions.OPENSEARCH_2) as opened:
        yield opened


@pytest.fixture
def talkative(stage: Stage) -> Iterator[OperatorProcess]:
    """Return an operator that logs all that it can."""
    process = start_operator(
        stage.stack,
        namespace="secrets-operator",
        release="secrets",
        watch=[stage.kube.namespace],
        values={"log": {"level": "debug"}},
    )
    yield process
    process.stop()


def test_no_secret_gets_out(stage: Stage, talkative: OperatorProcess) -> None:
    stage.connect()
    model_id = stage.perform("first")
    assert stage.remote.predict(model_id).status_code == 200
    _go_wrong(stage)
    shown = {kind: json.dumps(stage.kube.list(kind)) for kind in (*OURS, "Event")}
    shown["metrics"] = scrape(talkative)
    shown["health"] = httpx.get(f"{talkative.health_url}/readyz", trust_env=False).text
    shown["connectors in OpenSearch"] = json.dumps(stage.remote.find("connectors", "secrets"))
    stage.kube.delete_all()
    stage.until_nothing_is_left()
    talkative.stop()
    shown["log"] = talkative.log_file.read_text()

    sizes = {
        name: len(text) for name, text in shown.items() if name != "MLClusterSettings"
    }  # knows no secret
    assert all(size > 2 for size in sizes.values()), sizes
    found = [(name, form) for name, text in shown.items() for form in _forms() if form in text]
    assert found == []


def _go_wrong(stage: Stage) -> None:
    """Make the operator talk about a refused login, and about a request with a credential in it."""
    stage.kube.apply(stage.sets.secret("main-login", username=stage.sets.username, password=REFUSED))
    stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    stage.kube.apply(*stage.sets.connection())
    stage.kube.until_ready("OpenSearchConnection", "main")
    stage.kube.apply(stage.sets.key(REFUSED, name="refused"))
    stage.kube.apply(stage.sets.connector("refused", secret="refused", protocol="unheard_of"))
    stage.kube.until_reason("MLConnector", "refused", "Rejected")
    stage.kube.delete("MLConnector", "refused")
    stage.kube.until_gone(("MLConnector", "refused"))


def _forms() -> list[str]:
    """Return the beginnings that show each secret, as it is and in base64 at each of its three offsets."""
    basic = base64.b64encode(f"ml-operator:{PASSWORD}".encode()).decode()[:40]
    plain = CANARY.encode()
    encoded = [base64.b64encode(b"\0" * offset + plain)[4:-4].decode() for offset in range(3)]
    assert all(secret.startswith(CANARY) for secret in (KEY, PASSWORD, REFUSED))
    return [CANARY, basic, *encoded]
