"""The mark of a connection: on all that is made through it, and in nothing that is read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from opensearch_ml_operator.errors import MLError
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.opensearch import searches
from opensearch_ml_operator.opensearch.imprint import without
from opensearch_ml_operator.opensearch.pool import Pool
from opensearch_ml_operator.reconcilers.creation.protocol import Role, imprint, marker
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings, MLCommons
from support.fake_mlcommons import FakeMLCommons
from support.memory_aws import MemoryAWS
from support.memory_clock import Clock
from support.memory_tokens import MemoryTokens

MINE = imprint("33333333-3333-4333-8333-333333333333")
THEIRS = imprint("44444444-4444-4444-8444-444444444444")
TOKEN = marker("55555555-5555-4555-8555-555555555555", Role.GROUP, 1)


@pytest.fixture
async def server() -> AsyncIterator[FakeMLCommons]:
    async with FakeMLCommons() as server:
        yield server


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(
        observer=lambda *_: None,
        tokens=MemoryTokens(),
        aws=MemoryAWS(),
        on_failure=lambda _: None,
        wake=lambda _: None,
        clock=Clock().monotonic,
    )
    yield pool
    await pool.aclose()


async def connect(pool: Pool, server: FakeMLCommons, name: str, word: str) -> MLCommons:
    key = ObjectKey("OpenSearchConnection", "team", name)
    return await pool.put(key, ConnectionSettings(endpoints=(server.url,), imprint=word))


async def test_what_is_made_has_it_and_what_is_read_has_not(pool: Pool, server: FakeMLCommons) -> None:
    client = await connect(pool, server, "mine", MINE)
    group = await client.create_group({"name": "group", "description": f"words {TOKEN}"})
    assert server.groups[group]["description"] == f"words {TOKEN} {MINE}"
    read = (
        await client.get_group(group),
        await client.observe("group", group, max_age=0),
        *await client.search_marker("group", TOKEN),
        *await client.search_imprint("group"),
    )
    assert [hit and hit.source["description"] for hit in read] == [f"words {TOKEN}"] * 4
    await client.update_group(group, {"description": f"others {TOKEN}"})
    assert server.groups[group]["description"] == f"others {TOKEN} {MINE}"
    await client.update_group(group, {"name": "renamed"})
    await client.update_group(group, {"description": ""})
    assert server.groups[group]["description"] == f"others {TOKEN} {MINE}"


async def test_a_connector_that_is_changed_in_place_keeps_it(pool: Pool, server: FakeMLCommons) -> None:
    client = await connect(pool, server, "mine", MINE)
    body = {
        "name": "one",
        "version": "1",
        "protocol": "http",
        "description": f"words {TOKEN} digest",
        "credential": {"key": "value"},
        "actions": [{"action_type": "predict", "method": "POST", "url": "http://127.0.0.1:9/v1"}],
    }
    connector = await client.create_connector(body)
    await client.update_connector(connector, {**body, "description": f"others {TOKEN} digest"})
    assert server.connectors[connector]["description"] == f"others {TOKEN} digest {MINE}"
    read = await client.get_connector(connector)
    assert read is not None
    assert read.source["description"] == f"others {TOKEN} digest"


async def test_what_carries_no_marker_gets_none(pool: Pool, server: FakeMLCommons) -> None:
    client = await connect(pool, server, "mine", MINE)
    adopted = await client.create_group({"name": "group", "description": "It was there before."})
    assert server.groups[adopted]["description"] == "It was there before."


async def test_each_connection_finds_its_own(pool: Pool, server: FakeMLCommons) -> None:
    mine, theirs = await connect(pool, server, "mine", MINE), await connect(pool, server, "theirs", THEIRS)
    unmarked = await connect(pool, server, "none", "")
    made = await mine.create_group({"name": "mine", "description": f"a {TOKEN}"})
    other = await theirs.create_group({"name": "theirs", "description": f"b {TOKEN}"})
    plain = await unmarked.create_group({"name": "none", "description": f"c {TOKEN}"})
    assert [hit.id for hit in await mine.search_imprint("group")] == [made]
    assert [hit.id for hit in await theirs.search_imprint("group")] == [other]
    assert await unmarked.search_imprint("group") == ()
    assert server.groups[plain]["description"] == f"c {TOKEN}"
    foreign = await mine.get_group(other)
    assert foreign is not None
    assert foreign.source["description"] == f"b {TOKEN}"


def test_only_whole_marks_are_taken_out() -> None:
    for text in ("words", "k8smlin", f"{MINE}x", ""):
        assert without({"description": text}) == {"description": text}
    assert without({"description": f"a {MINE} b {THEIRS}"}) == {"description": "a b"}
    assert without({"name": MINE}) == {"name": MINE}


async def test_more_than_a_search_returns_is_found_in_parts(
    pool: Pool, server: FakeMLCommons, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(pool, server, "mine", MINE)
    made = set()
    for number, digit in enumerate("077af"):
        word = marker(f"{digit}5555555-5555-4555-8555-{number:012}", Role.GROUP, 1)
        made.add(await client.create_group({"name": f"group {number}", "description": word}))
    monkeypatch.setattr(searches, "_WINDOW", 3)
    found = await client.search_imprint("group")
    assert sorted(hit.id for hit in found) == sorted(made)


async def test_more_than_even_a_part_may_hold_proves_nothing(
    pool: Pool, server: FakeMLCommons, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(pool, server, "mine", MINE)
    for name in ("one", "two"):
        await client.create_group({"name": name, "description": TOKEN})
    monkeypatch.setattr(searches, "_WINDOW", 2)
    with pytest.raises(MLError):
        await client.search_imprint("group")
