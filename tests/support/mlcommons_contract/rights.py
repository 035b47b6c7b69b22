"""Asking which permissions a user has: it changes nothing, and all are seen but the two that nobody shows."""

from __future__ import annotations

import time

from opensearch_ml_operator.cli.remote import NoTokens
from opensearch_ml_operator.opensearch import rights
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.rights import Grant
from opensearch_ml_operator.opensearch.transport import Transport
from support.memory_aws import MemoryAWS

from .target import Target

QUESTIONS = (*rights.QUESTIONS, rights.PREDICT, rights.SETTINGS)
ON_A_NODE = f"{rights.ML}undeploy_model"
PROFILE = f"{rights.ML}profile/nodes"


async def whoever_may_do_everything_is_told_so(t: Target) -> None:
    await t.model()
    granted = await _ask(t)
    seen = {permission for permission, grant in granted.items() if grant is Grant.GRANTED}
    assert seen == {each.permission for each in QUESTIONS} - ({ON_A_NODE} if t.secured else set())
    assert Grant.MISSING not in granted.values()


async def asking_leaves_nothing_behind(t: Target) -> None:
    before = [await _count(t, kind) for kind in ("connectors", "model_groups", "models")]
    await _ask(t)
    assert [await _count(t, kind) for kind in ("connectors", "model_groups", "models")] == before
    settings = await t.client.read_settings()
    assert not [name for name in settings.persistent if name.endswith("no_such_setting")]


async def _ask(t: Target) -> dict[str, Grant]:
    transport = Transport(
        t.settings,
        login=login_of(t.settings, NoTokens(), MemoryAWS()),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    try:
        return await rights.ask_all(transport, QUESTIONS)
    finally:
        await transport.retire()


async def _count(t: Target, kind: str) -> int:
    body = {"query": {"match_all": {}}, "size": 0, "track_total_hits": True}
    answer = await t.raw("POST", f"/_plugins/_ml/{kind}/_search", body)
    count: int = answer.body["hits"]["total"]["value"]
    return count


CHECKS = (whoever_may_do_everything_is_told_so, asking_leaves_nothing_behind)
