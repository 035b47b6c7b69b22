from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensearch_ml_operator.cli.remote import NoTokens
from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch import rights
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.rights import Grant
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS

ROLES = Path(__file__).parents[3] / "deploy" / "opensearch-role"
USERS = {"admin": "password-of-admin"}


def shipped(name: str) -> list[str]:
    permissions: list[str] = json.loads((ROLES / name).read_text())["cluster_permissions"]
    return permissions


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons(version="2.19.1", users=USERS) as fake:
        yield fake


async def ask(server: FakeMLCommons, password: str = USERS["admin"]) -> dict[str, Grant]:
    settings = ConnectionSettings(endpoints=(server.url,), username="admin", password=password)
    transport = Transport(
        settings,
        login=login_of(settings, NoTokens(), MemoryAWS()),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    try:
        return await rights.ask_all(transport, rights.QUESTIONS)
    finally:
        await transport.retire()


def test_there_is_a_question_for_each_permission_of_the_shipped_roles() -> None:
    assert [each.permission for each in rights.QUESTIONS] == shipped("role.json")
    assert [rights.PREDICT.permission] == shipped("probe-role.json")
    assert [rights.SETTINGS.permission] == shipped("settings-role.json")


async def test_a_missing_permission_is_missing_and_the_others_are_not(server: FakeMLCommons) -> None:
    server.forbidden = {"deploy-model", "get-settings"}
    granted = await ask(server)
    missing = {permission for permission, grant in granted.items() if grant is Grant.MISSING}
    assert missing == {"cluster:monitor/state", f"{rights.ML}deploy_model"}


async def test_an_answer_that_says_nothing_is_no_verdict(server: FakeMLCommons) -> None:
    server.fail("get-task", cut=True)
    granted = await ask(server)
    assert granted[f"{rights.ML}tasks/get"] is Grant.UNKNOWN


async def test_the_profile_says_nothing_before_there_is_a_model(server: FakeMLCommons) -> None:
    assert (await ask(server))[f"{rights.ML}profile/nodes"] is Grant.UNKNOWN


async def test_a_wrong_password_is_no_missing_permission(server: FakeMLCommons) -> None:
    with pytest.raises(MLError) as refused:
        await ask(server, "wrong")
    assert refused.value.code is MLCode.UNAUTHENTICATED
