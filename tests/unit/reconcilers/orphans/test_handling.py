"""What is an orphan, and what of it may be deleted: a wrong answer deletes what somebody needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError, MLCode
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker
from opensearch_ml_operator.reconcilers.orphans.handling import INTERVAL
from opensearch_ml_operator.reconcilers.orphans.search import GRACE
from opensearch_ml_operator.reconcilers.ports import Mentions
from support.memory_ports import MemoryCatalog, MemoryStore
from unit.reconcilers.orphans.world import LIVING, LOST, World


async def test_what_has_no_resource_is_reported(orphaned: World) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.put("connector", LIVING, Role.CONNECTOR)
    assert await orphaned.searched() == [lost]
    assert orphaned.cluster.docs["connector"][lost]
    ((kind, reason, words),) = orphaned.stage.events.posted
    assert (kind, reason) == ("Warning", "OrphansFound")
    assert f"connector lost ({lost})" in words


@pytest.mark.parametrize("kind", ["connector", "group", "model"])
async def test_what_was_made_elsewhere_is_nothing_of_ours(orphaned: World, kind: str) -> None:
    foreign = orphaned.put(kind, LOST, Role(kind.title()), model_state="REGISTERED")
    orphaned.cluster.foreign.add(foreign)
    assert await orphaned.searched() == []
    orphaned.ask(foreign)
    assert await orphaned.look() == []
    assert foreign in orphaned.cluster.docs[kind]


@pytest.mark.parametrize(
    "status",
    [{"id": "connector1"}, {"previous": [{"id": "connector1"}]}, {"pending": {"note": ["connector1"]}}],
)
async def test_what_a_resource_mentions_has_somebody(orphaned: World, status: dict[str, Any]) -> None:
    mentioned = orphaned.put("connector", LOST, Role.CONNECTOR)
    assert mentioned == "connector1"
    orphaned.stage.add("RemoteModel", "adopter", uid=LIVING, status=status)
    orphaned.ask(mentioned)
    assert await orphaned.searched() == []
    assert mentioned in orphaned.cluster.docs["connector"]


@pytest.mark.parametrize(
    "spec",
    [
        {"connectorID": "connector1"},
        {"guardrails": {"input": {"model": ["connector1"]}}},
        {"parameters": {"tools": '[{"id":"connector1"}]'}},
        {"actions": [{"url": "https://here/_plugins/_ml/connectors/connector1?x"}]},
    ],
)
async def test_what_is_named_by_a_spec_has_somebody(orphaned: World, spec: dict[str, Any]) -> None:
    assert orphaned.put("connector", LOST, Role.CONNECTOR) == "connector1"
    orphaned.stage.add("RemoteModel", "user", uid=LIVING, spec=spec)
    assert await orphaned.searched() == []


async def test_many_are_counted_and_not_all_of_them_shown(orphaned: World) -> None:
    lost = [orphaned.put("connector", LOST, Role.CONNECTOR) for _ in range(60)]
    assert await orphaned.searched() == lost[:50]
    ((_, _, words),) = orphaned.stage.events.posted
    assert words.startswith("60 objects")


@pytest.mark.parametrize("field", ["candidate", "trial"])
async def test_what_a_connector_is_tried_by_has_somebody(orphaned: World, field: str) -> None:
    ids = [orphaned.put("connector", LOST, Role.CONNECTOR), orphaned.put("model", LOST, Role.MODEL)]
    status = {"candidate": {"id": ids[0]}, "trial": {"modelID": ids[1]}}
    orphaned.stage.add("MLConnector", "tried", uid=LIVING, status={field: status[field]})
    (named,) = status[field].values()
    assert await orphaned.searched() == [id_ for id_ in reversed(ids) if id_ != named]


async def test_the_trial_of_a_living_connector_is_its_own(orphaned: World) -> None:
    orphaned.put("group", LIVING, Role.GROUP)
    orphaned.put("model", LIVING, Role.MODEL, model_state="DEPLOYED")
    digest = "3f2a9c"
    orphaned.put(
        "connector", LIVING, Role.CONNECTOR, description=f"{marker(LIVING, Role.CONNECTOR, 7)} {digest}"
    )
    assert await orphaned.searched() == []


@pytest.mark.parametrize(
    "fields", [{"uid": LIVING, "status": {"id": "connector1"}}, {"uid": LOST}], ids=["by-id", "by-marker"]
)
async def test_what_another_namespace_has_taken_over_has_somebody(
    orphaned: World, fields: dict[str, Any]
) -> None:
    taken = orphaned.put("connector", LOST, Role.CONNECTOR)
    assert taken == "connector1"
    elsewhere = ObjectKey("MLConnector", "elsewhere", "adopter")
    adopter = orphaned.stage.add("MLConnector", "adopter", **fields)
    del orphaned.stage.store.objects[adopter.key]
    orphaned.stage.store.objects[elsewhere] = replace(adopter, key=elsewhere)
    orphaned.ask(taken)
    assert await orphaned.searched() == []
    assert taken in orphaned.cluster.docs["connector"]


async def test_what_only_the_api_server_knows_of_has_somebody(orphaned: World) -> None:
    orphaned.put("connector", LIVING, Role.CONNECTOR)
    orphaned.restart(catalog=MemoryCatalog(MemoryStore(), {}, {}))
    assert await orphaned.searched() == []


async def test_when_the_owner_of_each_is_known_nobody_is_listed(
    orphaned: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []

    async def list_all(kind: str, namespace: str) -> tuple[Snapshot, ...]:
        listed.append(f"{kind} {namespace}")
        return ()

    monkeypatch.setattr(orphaned.stage.store, "read_all", list_all)
    orphaned.put("connector", LIVING, Role.CONNECTOR)
    assert await orphaned.searched() == []
    assert listed == []
    orphaned.ask("look at all of them")
    await orphaned.look()
    assert listed


async def test_what_is_young_is_left_alone(orphaned: World) -> None:
    orphaned.age(100_000)
    young = orphaned.put("connector", LOST, Role.CONNECTOR)
    timeless = orphaned.put("connector", LOST, Role.CONNECTOR)
    del orphaned.cluster.docs["connector"][timeless]["created_time"]
    orphaned.ask(f"{young} {timeless}")
    orphaned.age(GRACE - 1)
    assert await orphaned.look() == []
    assert orphaned.cluster.docs["connector"].keys() == {young, timeless}


async def test_what_has_no_marker_is_left_alone(orphaned: World) -> None:
    orphaned.put("connector", LOST, Role.CONNECTOR, description="words of a person")
    assert await orphaned.searched() == []


async def test_lists_that_fail_prove_nothing(orphaned: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)

    async def unavailable(kind: str, namespace: str) -> tuple[Snapshot, ...]:
        raise KubernetesUnavailableError(f"{kind} in {namespace}")

    monkeypatch.setattr(orphaned.stage.store, "read_all", unavailable)
    orphaned.age()
    orphaned.ask(lost)
    assert await orphaned.look() == []
    assert lost in orphaned.cluster.docs["connector"]


async def test_a_search_that_failed_is_made_again_and_what_is_gone_is_forgotten(orphaned: World) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    orphaned.ask("look")
    orphaned.cluster.fail("get_connector", MLCode.AMBIGUOUS)
    assert await orphaned.look() == []
    assert await orphaned.look() == []
    orphaned.age(60)
    assert await orphaned.look() == [lost]
    orphaned.cluster.docs["connector"].clear()
    orphaned.ask("look again")
    assert await orphaned.look() == []


async def test_what_a_person_names_is_deleted_and_nothing_else(orphaned: World) -> None:
    lost, other = (orphaned.put("connector", LOST, Role.CONNECTOR) for _ in range(2))
    orphaned.age()
    orphaned.ask(lost)
    assert await orphaned.look() == [other]
    assert orphaned.cluster.docs["connector"].keys() == {other}
    assert "OrphanDeleted" in orphaned.stage.events.reasons


async def test_models_are_undeployed_first_and_groups_go_last(orphaned: World) -> None:
    group = orphaned.put("group", LOST, Role.GROUP)
    connector = orphaned.put("connector", LOST, Role.CONNECTOR)
    model = orphaned.put(
        "model",
        LOST,
        Role.MODEL,
        model_state="DEPLOYED",
        connector_id=connector,
        model_group_id=group,
        deploy_setting={"is_auto_deploy_enabled": True},
    )
    orphaned.age()
    orphaned.ask(f"{group},{connector},{model}")
    assert await orphaned.look() == [model, connector, group]
    assert orphaned.cluster.docs["model"][model]["model_state"] == "UNDEPLOYED"
    orphaned.age(10)
    assert await orphaned.look() == []
    assert orphaned.cluster.docs == {"connector": {}, "group": {}, "model": {}}


@pytest.mark.parametrize(
    "mentions",
    [
        Mentions(pipelines=("ingest pipeline catalogue",)),
        Mentions(agents=("agent catalogue (a1)",)),
        Mentions(unseen=("catalogue",)),
    ],
)
async def test_what_somebody_may_need_stays(orphaned: World, mentions: Mentions) -> None:
    lost = orphaned.put("model", LOST, Role.MODEL, model_state="DEPLOYED")
    orphaned.cluster.named[lost] = mentions
    orphaned.age()
    orphaned.ask(lost)
    assert await orphaned.look() == [lost]
    assert orphaned.cluster.docs["model"][lost]["model_state"] == "DEPLOYED"
    kept = [words for _, reason, words in orphaned.stage.events.posted if reason == "OrphanKept"]
    assert "catalogue" in kept[0]


async def test_a_connector_that_a_model_uses_stays(orphaned: World) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.cluster.put("model", {"name": "stranger", "description": "", "connector_id": lost})
    orphaned.age()
    orphaned.ask(lost)
    assert await orphaned.look() == [lost]
    kept = [words for _, reason, words in orphaned.stage.events.posted if reason == "OrphanKept"]
    assert "models need it: model2." in kept[0]
    assert orphaned.cluster.count("delete_connector") == 0


async def test_a_refusal_is_told_and_keeps_nothing_else(orphaned: World) -> None:
    first, second = (orphaned.put("connector", LOST, Role.CONNECTOR) for _ in range(2))
    orphaned.cluster.fail("delete_connector", MLCode.FORBIDDEN)
    orphaned.age()
    orphaned.ask(f"{first} {second}")
    assert await orphaned.look() == [first]
    assert orphaned.stage.events.reasons.count("OrphanKept") == 1


async def test_between_the_hours_nothing_is_sent(orphaned: World) -> None:
    orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    sent = len(orphaned.cluster.calls)
    for _ in range(100):
        orphaned.age(30)
        await orphaned.look()
    assert len(orphaned.cluster.calls) == sent
    orphaned.age(INTERVAL)
    await orphaned.look()
    assert len(orphaned.cluster.calls) == sent + 4  # a search of each kind, and the proof
