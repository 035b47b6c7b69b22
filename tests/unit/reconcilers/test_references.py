"""References followed: to what is there and may be used, or to a fact that says what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opensearch_ml_operator.constants import Reason
from opensearch_ml_operator.engine.links import namespace_key, references_of
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers import references
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.references import Connected, Unknown
from support.memory_ports import NAMESPACE, Stage, ready

MAIN = ObjectKey("OpenSearchConnection", NAMESPACE, "main")
CONNECTOR = ObjectKey("MLConnector", NAMESPACE, "one")


def connector_id(stage: Stage) -> str | Fact:
    return references.remote_id(
        stage.ports(), CONNECTOR, missing=Reason.CONNECTOR_NOT_FOUND, not_ready=Reason.CONNECTOR_NOT_READY
    )


def test_a_connection_that_works_gives_its_client() -> None:
    stage = Stage()
    cluster = stage.cluster()

    assert references.connection(stage.ports(), MAIN, CONNECTOR) == Connected(MAIN, cluster)


def test_a_connection_that_does_not_exist_is_named() -> None:
    fact = references.connection(Stage().ports(), MAIN, CONNECTOR)

    assert isinstance(fact, Fact)
    assert fact.reason is Reason.CONNECTION_NOT_FOUND
    assert "OpenSearchConnection main" in fact.message


@pytest.mark.parametrize("status", [{}, ready()], ids=["new", "looked-at-by-another-process"])
def test_a_connection_that_this_process_has_not_looked_at_is_unknown(status: dict[str, object]) -> None:
    stage = Stage()
    stage.add("OpenSearchConnection", "main", status=status)

    assert references.connection(stage.ports(), MAIN, CONNECTOR) == Unknown()


def test_a_connection_that_failed_its_check_says_why() -> None:
    stage = Stage()
    stage.add("OpenSearchConnection", "main", status=ready("False", "AuthenticationFailed"))

    fact = references.connection(stage.ports(), MAIN, CONNECTOR)

    assert isinstance(fact, Fact)
    assert fact.reason is Reason.CONNECTION_NOT_READY
    assert "AuthenticationFailed" in fact.message


def test_a_call_that_did_not_get_through_closes_the_connection_for_all() -> None:
    stage = Stage()
    stage.cluster()
    stage.pool.unavailable.add(MAIN)

    fact = references.connection(stage.ports(), MAIN, CONNECTOR)

    assert isinstance(fact, Fact)
    assert fact.reason is Reason.CONNECTION_NOT_READY


@pytest.mark.parametrize("deleting", [False, True], ids=["staying", "going"])
@pytest.mark.parametrize("verdict", ["True", "False"])
def test_what_has_an_id_can_be_used_whatever_else_is_wrong(verdict: str, *, deleting: bool) -> None:
    stage = Stage()
    stage.add("MLConnector", "one", status=ready(verdict, "Rejected", id="con1"), deleting=deleting)

    assert connector_id(stage) == "con1"


@pytest.mark.parametrize(
    ("more", "usable"),
    [
        ({}, False),
        ({"specHash": "applied"}, True),
        ({"origin": "Created"}, True),
    ],
    ids=["just-adopted", "compared", "created"],
)
def test_what_was_adopted_is_compared_before_anything_uses_it(more: dict[str, str], *, usable: bool) -> None:
    stage = Stage()
    synced = {"type": "Synced", "status": "False", "reason": "Updating", "message": ""}
    status = {"id": "con1", "origin": "Adopted", "conditions": [synced], **more}
    stage.add("MLConnector", "one", status=status)

    assert (connector_id(stage) == "con1") == usable


def test_what_does_not_exist_or_has_no_id_is_a_fact() -> None:
    stage = Stage()
    missing = connector_id(stage)
    stage.add("MLConnector", "one")
    new = connector_id(stage)
    stage.add("MLConnector", "one", status=ready("False", "SecretNotFound"))
    failing = connector_id(stage)
    stage.add("MLConnector", "one", deleting=True)
    going = connector_id(stage)

    facts = [each for each in (missing, new, failing, going) if isinstance(each, Fact)]
    assert [fact.reason for fact in facts] == [Reason.CONNECTOR_NOT_FOUND, *[Reason.CONNECTOR_NOT_READY] * 3]
    assert [fact.awaited for fact in facts] == [False, True, False, False]
    assert "SecretNotFound" in facts[2].message
    assert "deleted" in facts[3].message


@pytest.mark.parametrize("spec", [{}, {"connectionRef": None}, {"connectionRef": {"name": 7}}])
def test_a_name_that_is_none_is_empty(spec: dict[str, object]) -> None:
    assert references.connection_key(Stage().add("MLConnector", "one", spec=spec)).name == ""


@pytest.mark.parametrize(
    ("count", "words"), [(1, "m00"), (10, "m08, m09"), (12, "m09 and 2 more")], ids=["one", "ten", "twelve"]
)
def test_a_message_names_ten_objects_at_most(count: int, words: str) -> None:
    keys = tuple(ObjectKey("RemoteModel", NAMESPACE, f"m{number:02}") for number in range(count))

    assert references.names(keys, NAMESPACE).endswith(words)


SHARED = ObjectKey("ClusterOpenSearchConnection", "", "shared")


def share(stage: Stage, **spec: Any) -> None:
    """Add a connection of the whole cluster that works."""
    stage.cluster()
    stage.store.objects[SHARED] = replace(
        stage.add(SHARED.kind, "shared", spec=spec, status=ready()), key=SHARED
    )
    stage.pool.clients[SHARED] = stage.pool.clients[MAIN]


@pytest.mark.parametrize(
    "allowed",
    [None, {}, {"names": ["other"]}, {"names": "team"}, {"selector": {"matchLabels": {"a": "c"}}}, 7],
)
def test_a_connection_of_the_cluster_lets_nobody_in_who_is_not_named(allowed: Any) -> None:
    stage = Stage(labels={NAMESPACE: {"a": "b"}})
    share(stage, allowedNamespaces=allowed)

    fact = references.connection(stage.ports(), SHARED, CONNECTOR)

    assert isinstance(fact, Fact)
    assert fact.reason is Reason.NAMESPACE_NOT_ALLOWED
    assert isinstance(references.reachable(stage.ports(), SHARED), Connected), "deletion does not ask"


@pytest.mark.parametrize("allowed", [{"names": [NAMESPACE]}, {"selector": {"matchLabels": {"a": "b"}}}])
def test_a_connection_of_the_cluster_lets_in_whom_it_names_or_selects(allowed: Any) -> None:
    stage = Stage(labels={NAMESPACE: {"a": "b"}})
    share(stage, allowedNamespaces=allowed)

    assert isinstance(references.connection(stage.ports(), SHARED, CONNECTOR), Connected)


def test_a_connection_of_another_namespace_is_nobodys() -> None:
    stage = Stage()
    stage.cluster()

    assert not references.allowed(stage.ports(), MAIN, "other")


@pytest.mark.parametrize(
    ("key", "spec", "fields", "refused"),
    [
        (SHARED, {}, ["connectorID"], True),
        (SHARED, {"allowExternalIDs": "true"}, ["connectorID"], True),
        (SHARED, {"allowExternalIDs": True}, ["connectorID"], False),
        (SHARED, {}, [], False),
        (MAIN, {}, ["connectorID"], False),
    ],
)
def test_ids_of_others_are_refused_unless_the_owner_allows_them(
    key: ObjectKey, spec: dict[str, Any], fields: list[str], *, refused: bool
) -> None:
    stage = Stage()
    share(stage, **spec)

    fact = references.foreign_ids(stage.ports(), key, fields)

    assert (fact is not None) is refused
    if fact is not None:
        assert (fact.reason, fact.stalled) == (Reason.NAMESPACE_NOT_ALLOWED, True)
        assert "spec.connectorID" in fact.message


def test_who_has_made_something_counts_though_he_is_shut_out() -> None:
    stage = Stage()
    share(stage, allowedNamespaces={"names": ["elsewhere"]})
    stage.add("MLConnector", "one", status={"id": "con1"})
    stage.add("MLConnector", "two")
    two = ObjectKey("MLConnector", NAMESPACE, "two")
    stage.links[SHARED] = (CONNECTOR, two)

    assert references.users(stage.ports(), SHARED) == (CONNECTOR,)


def test_an_operator_of_single_namespaces_says_why_it_knows_no_such_connection() -> None:
    ports = replace(Stage().ports(), cluster_wide=False)

    fact = references.connection(ports, SHARED, CONNECTOR)

    assert isinstance(fact, Fact)
    assert fact.reason is Reason.CONNECTION_NOT_FOUND
    assert "single namespaces" in fact.message


@pytest.mark.parametrize(
    ("ref", "key"),
    [
        ({"name": "x"}, ObjectKey("OpenSearchConnection", NAMESPACE, "x")),
        ({"kind": "OpenSearchConnection", "name": "x"}, ObjectKey("OpenSearchConnection", NAMESPACE, "x")),
        ({"kind": "ClusterOpenSearchConnection", "name": "x"}, ObjectKey(SHARED.kind, "", "x")),
    ],
)
def test_both_kinds_of_connections_can_be_named(ref: dict[str, str], key: ObjectKey) -> None:
    connector = Stage().add("MLConnector", "one", spec={"connectionRef": ref})

    assert references.connection_key(connector) == key
    assert key in references_of(connector)
    assert (namespace_key(NAMESPACE) in references_of(connector)) is (key.kind == SHARED.kind)
