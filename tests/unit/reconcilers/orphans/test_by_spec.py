"""Orphans that go because the spec of the connection says so, and what a person has left on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers import retention
from opensearch_ml_operator.reconcilers.creation.protocol import Role
from opensearch_ml_operator.reconcilers.orphans.handling import INTERVAL, MANY
from opensearch_ml_operator.reconcilers.orphans.search import GRACE
from opensearch_ml_operator.reconcilers.ports import Mentions
from opensearch_ml_operator.reconcilers.retention import MOST
from unit.reconcilers.orphans.world import KEY, LIVING, LOST, World

HOUR = 3600.0
DELETE = {"policy": "Delete", "after": "24h"}
OTHER = "33333333-3333-4333-8333-333333333333"


async def test_they_go_when_they_have_been_shown_for_long_enough(orphaned: World) -> None:
    orphaned.say(orphans=DELETE)
    living = orphaned.put("connector", LIVING, Role.CONNECTOR)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age(1000 * HOUR)  # it is old, but nobody has been told
    assert await orphaned.searched() == [lost]
    ((_, _, words),) = orphaned.stage.events.posted
    assert "By spec.orphans they are deleted in 24h." in words
    orphaned.age(23 * HOUR)
    assert await orphaned.look() == [lost]
    orphaned.restart()
    await orphaned.look()
    orphaned.age(HOUR)
    assert await orphaned.look() == []
    assert orphaned.cluster.docs["connector"].keys() == {living}
    assert orphaned.deleted == [(KEY, "connector")]
    assert orphaned.stage.events.reasons == ["OrphansFound", "OrphanDeleted"]


@pytest.mark.parametrize(
    "spec", [{}, {"orphans": {"policy": "Report", "after": "1h"}}, {"orphans": "Delete"}]
)
async def test_they_stay_when_the_spec_does_not_say_so(orphaned: World, spec: dict[str, Any]) -> None:
    orphaned.say(**spec)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    for _ in range(50):
        assert await orphaned.searched() in ([], [lost])
    assert lost in orphaned.cluster.docs["connector"]
    assert orphaned.deleted == []


async def test_the_spec_counts_as_it_is_now(orphaned: World) -> None:
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    orphaned.age(25 * HOUR)
    stale = orphaned.stage.store.objects[KEY]
    orphaned.say(orphans={"policy": "Report"})
    assert await orphaned.look(stale) == [lost]
    assert lost in orphaned.cluster.docs["connector"]


async def test_one_that_was_not_an_orphan_for_a_while_begins_anew(orphaned: World) -> None:
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    user = orphaned.stage.add("RemoteModel", "user", uid=OTHER, spec={"connectorID": lost})
    assert await orphaned.searched() == []
    del orphaned.stage.store.objects[user.key]
    orphaned.age(25 * HOUR)
    assert await orphaned.searched() == [lost]
    assert await orphaned.searched() == [lost]


async def test_many_at_once_are_deleted_by_name_alone(orphaned: World) -> None:
    orphaned.say(orphans=DELETE)
    lost = [orphaned.put("connector", LOST, Role.CONNECTOR) for _ in range(MANY + 1)]
    orphaned.age()
    await orphaned.searched()
    orphaned.age(25 * HOUR)
    assert await orphaned.look() == lost
    assert "21 orphans at once look like a mistake" in orphaned.stage.events.posted[-1][2]
    orphaned.ask(lost[0])
    assert await orphaned.look() == lost[1:]
    orphaned.age(INTERVAL)
    assert await orphaned.look() == []


async def test_who_does_not_see_all_namespaces_deletes_by_name_alone(orphaned: World) -> None:
    orphaned.restart(cluster_wide=False)
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    orphaned.age(25 * HOUR)
    assert await orphaned.look() == [lost]
    assert "does not see all namespaces" in orphaned.stage.events.posted[-1][2]


@pytest.mark.parametrize("mentions", [Mentions(pipelines=("one",)), Mentions(unseen=("agents",))])
async def test_what_somebody_may_need_stays(orphaned: World, mentions: Mentions) -> None:
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("model", LOST, Role.MODEL, model_state="DEPLOYED")
    orphaned.cluster.named[lost] = mentions
    orphaned.age()
    await orphaned.searched()
    orphaned.age(25 * HOUR)
    assert await orphaned.look() == [lost]
    assert orphaned.cluster.docs["model"][lost]["model_state"] == "DEPLOYED"


@pytest.mark.parametrize("entry", [LOST, "connector1"], ids=["uid", "id"])
async def test_what_was_left_on_purpose_is_no_orphan(orphaned: World, entry: str) -> None:
    orphaned.say(orphans=DELETE)
    assert orphaned.put("connector", LOST, Role.CONNECTOR) == "connector1"
    orphaned.retain(entry)
    orphaned.age()
    orphaned.ask("connector1")
    for _ in range(3):
        assert await orphaned.searched() == []
        orphaned.age(25 * HOUR)
    assert "connector1" in orphaned.cluster.docs["connector"]
    assert orphaned.retained == [entry]


async def test_a_list_of_what_was_left_that_cannot_be_read_proves_nothing(orphaned: World) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    orphaned.ask(lost)
    before = orphaned.stage.store.objects[KEY]
    orphaned.stage.store.change(KEY, status={"retained": "all"})
    assert await orphaned.look(before) == []
    assert lost in orphaned.cluster.docs["connector"]


async def test_what_is_left_on_purpose_just_before_the_resource_goes_is_seen(
    orphaned: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    orphaned.ask(lost)
    read_all = orphaned.stage.store.read_all

    async def meanwhile(kind: str, namespace: str) -> Any:
        if not orphaned.retained:
            orphaned.retain(LOST)
        return await read_all(kind, namespace)

    monkeypatch.setattr(orphaned.stage.store, "read_all", meanwhile)
    assert await orphaned.look() == []
    assert lost in orphaned.cluster.docs["connector"]
    assert orphaned.retained == [LOST]


async def test_the_list_forgets_what_is_gone_but_not_what_may_still_come(orphaned: World) -> None:
    kept = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.retain(LOST, OTHER)
    await orphaned.searched()
    assert orphaned.retained == [LOST, OTHER]
    orphaned.age(GRACE)
    await orphaned.look()
    assert orphaned.retained == [LOST]
    del orphaned.cluster.docs["connector"][kept]
    orphaned.age(INTERVAL)
    await orphaned.look()
    orphaned.age(INTERVAL)
    await orphaned.look()
    assert orphaned.retained == []


async def test_a_full_list_stays_full_and_nothing_is_deleted_by_itself(orphaned: World) -> None:
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    orphaned.stage.store.change(
        KEY,
        status={
            **orphaned.stage.store.objects[KEY].status,
            "retained": [f"other{number}" for number in range(MOST)],
        },
    )
    orphaned.age(25 * HOUR)
    assert await orphaned.searched() == [lost]
    assert await orphaned.searched() == [lost]
    assert len(orphaned.retained) == MOST
    assert "status.retained" in orphaned.stage.events.posted[-1][2]


async def test_an_api_server_that_is_away_proves_nothing(
    orphaned: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphaned.say(orphans=DELETE)
    lost = orphaned.put("connector", LOST, Role.CONNECTOR)
    orphaned.age()
    await orphaned.searched()
    orphaned.age(25 * HOUR)

    async def unavailable(key: Any) -> Any:
        raise KubernetesUnavailableError(str(key))

    monkeypatch.setattr(orphaned.stage.store, "read", unavailable)
    assert await orphaned.look() == [lost]
    assert lost in orphaned.cluster.docs["connector"]


def resource(orphaned: World, **status: Any) -> Snapshot:
    """Return a connector that is to go while its object stays."""
    return orphaned.stage.add("MLConnector", "leaving", uid=OTHER, status=status)


async def test_a_resource_whose_object_stays_is_written_down_once(orphaned: World) -> None:
    leaving = resource(orphaned, id="connector9", origin="Created")
    for _ in range(2):
        await retention.note(orphaned.stage.ports(), KEY, leaving)
    assert orphaned.retained == [OTHER]


async def test_of_an_adopted_object_the_id_is_written_down(orphaned: World) -> None:
    leaving = resource(orphaned, id="connector9", origin="Adopted")
    await retention.note(orphaned.stage.ports(), KEY, leaving)
    assert orphaned.retained == [OTHER, "connector9"]


async def test_a_resource_does_not_go_before_it_is_written_down(orphaned: World) -> None:
    orphaned.stage.store.failures.append((KubernetesUnavailableError("away"), False))
    with pytest.raises(KubernetesUnavailableError):
        await retention.note(orphaned.stage.ports(), KEY, resource(orphaned))
    assert orphaned.retained == []


@pytest.mark.parametrize("name", ["", "gone"])
async def test_without_a_connection_nobody_looks(orphaned: World, name: str) -> None:
    await retention.note(orphaned.stage.ports(), ObjectKey(KEY.kind, KEY.namespace, name), resource(orphaned))
    assert orphaned.retained == []
