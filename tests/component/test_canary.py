"""Distinctive credentials, and everything that the operator lets out, searched for all their forms."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest

from opensearch_ml_operator.logs import set_up
from support.eventually import eventually
from support.fake_kube.calls import RESOURCES
from support.scene import CONNECTIONS, CONNECTORS, MODELS, Scene

from .conftest import Stage

TOKEN: Final = 'canary-"tøken"\\with/everything?in=it&100%'
NEXT: Final = "canary-of-the-next-rotation-8731"
BEARER: Final = "canary.eyJhbGciOiJub25lIn0.of-a-bearer/token+4711=="
PASSWORD: Final = "canary-password:with@odd/characters=4711"


def forms(secret: str) -> set[str]:
    """Return how a secret may be written."""
    raw = secret.encode()
    return {
        secret,
        base64.b64encode(raw).decode().rstrip("="),
        base64.b64encode(f"admin:{secret}".encode()).decode(),
        raw.hex(),
        quote(secret, safe=""),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: logging.getLogger(name).level
        for name in ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "kubernetes", "urllib3")
    }
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_no_form_of_a_credential_gets_out(
    stage: Stage, root_logger: logging.Logger, level: str
) -> None:
    world = await stage(users={"admin": PASSWORD})
    lines = io.StringIO()
    set_up(world.operator.redactor, level=level, style="json", stream=lines)
    assert root_logger.handlers
    world.model()
    world.connector()
    world.group()
    world.secret("key", token=TOKEN)
    world.connection()
    world.secret("main-login", username="admin", password=PASSWORD)
    # A server that repeats what it was sent, in each of its answers that somebody will show.
    for operation in ("create-connector", "register-model", "deploy-model", "create-group"):
        for form in sorted(forms(TOKEN) | forms(PASSWORD)):
            world.ml.fail(operation, status=400, reason=f"cannot take {form} for a credential")
    await world.becomes(CONNECTORS, "connector", "Synced", "Rejected")
    await _show_all(world, lines)
    world.ml.heal()
    world.ml.fail("*", times=3, status=500, reason=f"{TOKEN} and {PASSWORD}")
    await world.ready(seconds=90)
    await _show_all(world, lines)
    world.ml.deploy_outcomes.extend(["failed"])
    world.secret("key", token=NEXT)
    world.look_again(CONNECTORS, "connector")
    await eventually(
        lambda: {"token": NEXT} in [doc["credential"] for doc in world.ml.connectors.values()], seconds=20
    )
    world.secret("main-login", username="admin", password=f"{PASSWORD}-wrong")
    world.edit(CONNECTIONS, "main", healthInterval="5s")
    await world.becomes(CONNECTIONS, "main", "Reachable", "AuthenticationFailed", seconds=20)
    world.secret("main-login", username="admin", password=PASSWORD)
    world.edit(MODELS, "model", description="x")
    await world.ready(seconds=90)
    await _show_all(world, lines)


@pytest.mark.parametrize("login", ["token", "account"])
async def test_no_form_of_a_token_gets_out(stage: Stage, root_logger: logging.Logger, login: str) -> None:
    settings = {"token_audiences": "search", "service_account": "op", "service_account_namespace": "ml"}
    world = await stage(users={"admin": PASSWORD}, settings=settings)
    lines = io.StringIO()
    set_up(world.operator.redactor, level="debug", style="json", stream=lines)
    assert root_logger.handlers
    world.kube.create("serviceaccounts", {"metadata": {"name": "op"}}, "ml")
    world.ml.user_of_token = lambda token: "admin" if token in {BEARER, *world.kube.issued_tokens} else None
    world.everything()
    world.secret("main-login", token=BEARER)
    bearer: dict[str, Any] = {
        "token": {"secretKeyRef": {"name": "main-login", "key": "token"}},
        "account": {"serviceAccountToken": {"audience": "search"}},
    }[login]
    world.edit(CONNECTIONS, "main", healthInterval="5s", auth={"basic": None, "bearer": bearer})
    await world.ready()
    secret = BEARER if login == "token" else world.kube.issued_tokens[-1]
    for form in sorted(forms(secret)):
        world.ml.fail("update-model", status=400, reason=f"cannot take {form} for a credential")
    world.edit(MODELS, "model", description="x")
    await world.becomes(MODELS, "model", "Synced", "Rejected")
    await _show_all(world, lines, secret)
    world.ml.heal()
    world.ml.fail("get-info", times=50, status=401, reason=f"{secret} has expired")
    assert await world.becomes(CONNECTIONS, "main", "Reachable", "AuthenticationFailed")
    await _show_all(world, lines, secret)


async def _show_all(world: Scene, lines: io.StringIO, *more: str) -> None:
    """Search everything that has got out so far."""
    emitted = {
        plural: json.dumps(world.kube.objects(plural), ensure_ascii=False)
        + json.dumps(world.kube.objects(plural))
        for plural in RESOURCES
        if plural != "secrets"
    }
    emitted["log"] = lines.getvalue()
    emitted["metrics"] = world.operator.metrics.scrape()().decode()
    for where, text in emitted.items():
        for secret in (TOKEN, NEXT, PASSWORD, *more):
            for form in forms(secret):
                assert form not in text, f"{form!r} is in {where}"
                assert json.dumps(form)[1:-1] not in text, f"{form!r} is in {where}"
