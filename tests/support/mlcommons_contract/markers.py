"""What searches for markers find: all revisions of one object, and all that one connection has made."""

from __future__ import annotations

import uuid

import pytest

from opensearch_ml_operator.opensearch import searches
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker

from .target import ML, Target, token


async def revisions_are_found_by_the_stem_of_their_markers(t: Target) -> None:
    stem = f"{token()}cr"
    first = await t.connector(description=f"A sentence, first. {stem}1")
    twelfth = await t.connector(description=f"{stem}12")
    await t.connector(description=f"{stem}x")
    await t.connector(description=f"{stem[:-1]}1")
    found = await t.client.search_markers("connector", stem)
    assert {hit.id: hit.source["description"] for hit in found} == {
        first: f"A sentence, first. {stem}1",
        twelfth: f"{stem}12",
    }
    assert await t.client.search_markers("connector", f"{token()}cr") == ()


async def what_a_connection_has_made_is_found(t: Target) -> None:
    words = f"words {marker(str(uuid.uuid4()), Role.CONNECTOR, 1)}"
    connector = await t.connector(description=words)
    group = await t.group(description=words)
    model = await t.model(connector_id=connector, model_group_id=group, description=words)
    for kind, collection, id_ in (
        ("connector", "connectors", connector),
        ("group", "model_groups", group),
        ("model", "models", model),
    ):
        (hit,) = await t.client.search_imprint(kind)
        assert hit.id == id_
        assert hit.source["description"] == words
        assert isinstance(hit.source["created_time"], int)
        assert (await t.document(kind, id_))["description"] == words
        if kind != "group":
            raw = await t.raw("GET", f"{ML}/{collection}/{id_}")
            assert raw.body["description"].startswith(f"{words} k8smlin")


async def what_is_more_than_a_search_returns_is_found_in_parts(t: Target) -> None:
    made = {
        await t.connector(description=marker(f"{digit}{str(uuid.uuid4())[1:]}", Role.CONNECTOR, 1))
        for digit in "7f"
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "_WINDOW", len(made))
        found = await t.client.search_imprint("connector")
    assert sorted(hit.id for hit in found) == sorted(made)


CHECKS = (
    revisions_are_found_by_the_stem_of_their_markers,
    what_a_connection_has_made_is_found,
    what_is_more_than_a_search_returns_is_found_in_parts,
)
