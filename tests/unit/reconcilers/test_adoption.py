"""Who may adopt what, what is compared of it, and what stays when its resource goes."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.constants import DELETION_POLICY_ANNOTATION, ConditionType
from opensearch_ml_operator.models.common import Adopt
from opensearch_ml_operator.models.group import MLModelGroupSpec, MLModelGroupStatus
from opensearch_ml_operator.models.snapshot import Snapshot
from opensearch_ml_operator.reconcilers import adoption
from opensearch_ml_operator.reconcilers.conditions import find
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker
from opensearch_ml_operator.reconcilers.outcome import Outcome
from opensearch_ml_operator.reconcilers.session import Session
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import Stage

KIND = "MLModelGroup"
OLD, NOW, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"
CONNECTION = {"connectionRef": {"name": "main"}}


@pytest.fixture
def cluster(cluster: MemoryOpenSearch) -> MemoryOpenSearch:
    cluster.ids.append("remote1")
    cluster.put("group", {"name": "wanted", "description": "Somebody's"})
    return cluster


def mine(stage: Stage, status: dict[str, Any] | None = None, adopt: dict[str, str] | None = None) -> Snapshot:
    spec = {**CONNECTION, "adopt": adopt or {"id": "remote1"}}
    return stage.add(KIND, "mine", created=NOW, spec=spec, status=status or {})


async def run(stage: Stage, cluster: MemoryOpenSearch, snapshot: Snapshot) -> tuple[Outcome | None, str, str]:
    """Return the outcome, and id and reason of what is recorded."""
    session = Session(stage.ports(), snapshot, MLModelGroupStatus)
    spec = MLModelGroupSpec.model_validate(snapshot.spec)
    outcome = await adoption.adopt(session, cluster, "group", spec)
    synced = find(session.status.conditions, ConditionType.SYNCED)
    return outcome, session.status.id or "", synced.reason if synced else ""


@pytest.mark.parametrize("adopt", [{"id": "remote1"}, {"name": "wanted"}], ids=str)
@pytest.mark.parametrize(
    ("created", "spec", "status", "reason"),
    [
        pytest.param(LATE, {}, {}, "", id="somebody-else"),
        pytest.param(LATE, {}, {"id": "remote1"}, "NotOwned", id="its-maker"),
        pytest.param(LATE, {"adopt": {"id": "remote1"}}, {"id": "remote1"}, "Conflict", id="who-has-it"),
        pytest.param(LATE, {}, {"id": "b", "previous": [{"id": "remote1"}]}, "NotOwned", id="who-had-it"),
        pytest.param(OLD, {"adopt": {"id": "remote1"}}, {}, "Conflict", id="an-older-one-by-id"),
        pytest.param(OLD, {"adopt": {"name": "wanted"}}, {}, "Conflict", id="an-older-one-by-name"),
        pytest.param(LATE, {"adopt": {"name": "wanted"}}, {}, "", id="a-younger-one"),
        pytest.param(OLD, {"adopt": {"name": "wanted"}}, {"id": "b"}, "", id="an-older-one-that-has-another"),
        pytest.param(OLD, {"adopt": {"name": "another"}}, {}, "", id="an-older-one-that-wants-another"),
        pytest.param(OLD, {"adopt": "?"}, {"previous": "?"}, "", id="what-cannot-be-read"),
    ],
)
async def test_who_is_in_the_way(
    stage: Stage,
    cluster: MemoryOpenSearch,
    adopt: dict[str, str],
    created: str,
    spec: dict[str, Any],
    status: dict[str, Any],
    reason: str,
) -> None:
    stage.add(KIND, "other", created=created, spec={**CONNECTION, **spec}, status=status)
    outcome, id_, shown = await run(stage, cluster, mine(stage, adopt=adopt))
    assert (id_, shown) == (("", reason) if reason else ("remote1", "Updating"))
    assert (outcome is None) == (not reason)


async def test_the_same_id_in_another_cluster_is_another_object(
    stage: Stage, cluster: MemoryOpenSearch
) -> None:
    stage.cluster("elsewhere")
    other = {"connectionRef": {"name": "elsewhere"}}
    stage.add(KIND, "other", created=OLD, spec=other, status={"id": "remote1"})
    assert await run(stage, cluster, mine(stage)) == (None, "remote1", "Updating")


async def test_two_connections_may_lead_to_one_cluster(stage: Stage, cluster: MemoryOpenSearch) -> None:
    for name in ("main", "elsewhere"):
        stage.add("OpenSearchConnection", name, status={"clusterUUID": "uuid"})
    other = {"connectionRef": {"name": "elsewhere"}}
    stage.add(KIND, "other", created=OLD, spec=other, status={"id": "remote1"})
    assert (await run(stage, cluster, mine(stage)))[1:] == ("", "NotOwned")


@pytest.mark.parametrize(("alive", "reason"), [(True, "NotOwned"), (False, "Updating")])
async def test_a_marker_counts_as_long_as_its_resource_lives(
    stage: Stage, cluster: MemoryOpenSearch, *, alive: bool, reason: str
) -> None:
    uid = "0e1b6b64-22d1-4d9e-9c0c-2f6f3c1f5a10"
    cluster.show("group", "remote1", description=f"Text {marker(uid, Role.GROUP, 1)}")
    if alive:
        stage.add("RemoteModel", "maker", uid=uid, spec=CONNECTION)
    assert (await run(stage, cluster, mine(stage)))[2] == reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"id": "remote1", "origin": "Adopted"}, ""),
        ({"id": "remote2", "origin": "Adopted"}, "Rejected"),
        ({"id": "remote2", "origin": "Created"}, "Rejected"),
    ],
)
async def test_what_is_had_is_kept(
    stage: Stage, cluster: MemoryOpenSearch, status: dict[str, Any], reason: str
) -> None:
    cluster.ids.append("remote2")
    cluster.put("group", {"name": "another", "description": ""})
    _, id_, shown = await run(stage, cluster, mine(stage, status))
    assert (id_, shown) == (status["id"], reason)


@pytest.mark.parametrize(
    ("spec", "annotation", "origin", "stays"),
    [
        ({}, None, "Created", False),
        ({}, None, None, False),
        ({}, None, "Adopted", True),
        ({"deletionPolicy": "Delete"}, None, "Adopted", False),
        ({"deletionPolicy": "Retain"}, None, "Created", True),
        ({"deletionPolicy": "Retain"}, "Delete", "Created", False),
        ({}, "Delete", "Adopted", False),
        ({"deletionPolicy": "Delete"}, "Retain", "Created", True),
        ({"deletionPolicy": "Delete", "managementPolicy": "Observe"}, "Delete", "Created", True),
    ],
)
def test_what_stays_when_the_resource_goes(
    stage: Stage, spec: dict[str, Any], annotation: str | None, origin: str | None, *, stays: bool
) -> None:
    annotations = {DELETION_POLICY_ANNOTATION: annotation} if annotation else {}
    status = {"id": "remote1", "origin": origin} if origin else {"id": "remote1"}
    snapshot = stage.add(KIND, "mine", spec=spec, annotations=annotations, status=status)
    assert adoption.releases(stage.ports(), snapshot) is stays


def test_what_two_have_on_record_is_not_deleted(stage: Stage) -> None:
    status = {"id": "remote1", "origin": "Adopted"}
    spec = {**CONNECTION, "deletionPolicy": "Delete"}
    snapshot = stage.add(KIND, "mine", created=LATE, spec=spec, status=status)
    assert not adoption.releases(stage.ports(), snapshot)
    stage.add(KIND, "other", created=OLD, spec=CONNECTION, status=status)
    assert adoption.releases(stage.ports(), snapshot)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Text", "Text"),
        (f"Text {marker('0e1b6b64-22d1-4d9e-9c0c-2f6f3c1f5a10', Role.MODEL, 1)}", "Text"),
        (marker("0e1b6b64-22d1-4d9e-9c0c-2f6f3c1f5a10", Role.CONNECTOR, 12), ""),
        (f"{marker('0e1b6b64-22d1-4d9e-9c0c-2f6f3c1f5a10', Role.CONNECTOR, 3)} 0123456789abcdef", ""),
        ("k8sml is a word", "k8sml is a word"),
        (None, None),
    ],
)
def test_the_mark_of_an_earlier_owner_is_not_compared(
    stage: Stage, description: str | None, expected: str | None
) -> None:
    source = {"name": "n", "description": description}
    adopted = stage.add(KIND, "mine", status={"origin": "Adopted"})
    assert adoption.seen(adopted, source) == {"name": "n", "description": expected}
    assert adoption.seen(stage.add(KIND, "made", status={"origin": "Created"}), source) == source


@pytest.mark.parametrize(
    ("origin", "given", "expected"),
    [
        ("Created", {}, {"name": "mine", "description": "mark"}),
        ("Created", {"name": "n", "description": "d"}, {"name": "n", "description": "d mark"}),
        ("Adopted", {}, {}),
        ("Adopted", {"name": "n"}, {"name": "n"}),
        ("Adopted", {"description": "d"}, {"description": "d"}),
        ("Adopted", {"description": f"d k8sml{'a' * 32}mr1"}, {"description": "d"}),
    ],
)
def test_the_words_that_are_sent(
    stage: Stage, origin: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    snapshot = stage.add(KIND, "mine", status={"origin": origin})
    words = {"name": None, "description": None, **given}
    assert adoption.words(snapshot, mark="mark", **words) == expected


def test_an_adoption_names_one_object() -> None:
    with pytest.raises(ValueError, match="exactly one of id, name"):
        Adopt.model_validate({"id": "a", "name": "b"})
