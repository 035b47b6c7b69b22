"""A connection of the whole cluster: for the namespaces that it lets in, as they are now."""

from __future__ import annotations

from typing import Any

import pytest

from support.eventually import eventually
from support.fake_mlcommons import FakeMLCommons
from support.scene import ADMIN, CLUSTER_CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene, connector_spec

from .conftest import Stage

SHARED = {"connectionRef": {"kind": "ClusterOpenSearchConnection", "name": "shared"}}
SET = ((GROUPS, "group"), (CONNECTORS, "connector"), (MODELS, "model"))
SETTINGS = "mlclustersettings"
BY_LABEL = {"selector": {"matchLabels": {"search": "yes"}}}


def share(world: Scene, **spec: Any) -> None:
    """Create the connection; its identity is in a namespace of the platform team."""
    auth = {}
    if world.ml.cluster.users:
        body = {"metadata": {"name": "login"}, "stringData": ADMIN}
        world.kube.create("secrets", body, "platform")
        auth = {"auth": {"basic": {"secretRef": {"namespace": "platform", "name": "login"}}}}
    patience = {"timeout": {"connect": "1m", "read": "5m"}, "healthInterval": "5s"}
    world.create(CLUSTER_CONNECTIONS, "shared", {"endpoints": [world.ml.url], **auth, **patience, **spec})


def label(world: Scene, namespace: str, value: str | None) -> None:
    """Label a namespace, or take the label away."""
    world.kube.patch("namespaces", namespace, {"metadata": {"labels": {"search": value}}})


def use(world: Scene, namespace: str) -> None:
    """Create a set that uses the connection; names in OpenSearch are the namespace's own."""
    world.namespace = namespace
    world.secret("key", token="value-of-the-credential")
    often = {"resyncInterval": "30s"}
    world.create(GROUPS, "group", {**SHARED, "name": f"group of {namespace}", **often})
    world.create(CONNECTORS, "connector", connector_spec(**SHARED, **often))
    world.model(**often)


async def all_ready(world: Scene, namespace: str) -> None:
    """Wait until the set of a namespace is Ready."""
    world.namespace = namespace
    await eventually(lambda: all(world.is_ready(plural, name) for plural, name in SET), seconds=30)


async def shut_out(world: Scene, namespace: str) -> None:
    """Wait until group and connector of a namespace say that it is not let in."""
    world.namespace = namespace
    for plural, name in SET[:2]:
        fact = await world.becomes(plural, name, "ReferencesResolved", "NamespaceNotAllowed", seconds=30)
        assert namespace in fact["message"]


def delete_set(world: Scene, namespace: str) -> None:
    """Ask for the deletion of a set."""
    world.namespace = namespace
    for plural, name in SET:
        world.delete(plural, name)


async def set_gone(world: Scene, namespace: str) -> None:
    """Wait until a set is gone."""
    await eventually(lambda: not any(world.kube.objects(plural, namespace) for plural, _ in SET), seconds=30)


async def test_a_namespace_is_let_in_by_name_and_another_is_not(stage: Stage) -> None:
    world = await stage(users={"admin": ADMIN["password"]})
    share(world, allowedNamespaces={"names": ["insider"]})
    use(world, "stranger")
    use(world, "insider")
    await all_ready(world, "insider")
    await shut_out(world, "stranger")
    await world.quiet()
    assert world.remote() == (1, 1, 1)
    assert world.kube.get(CLUSTER_CONNECTIONS, "shared")["status"]["usedBy"] == {  # type: ignore[index]
        "connectors": 1,
        "groups": 1,
        "models": 1,
    }
    model = world.kube.get(MODELS, "model", "insider")
    assert model is not None
    assert model["status"]["connectionKind"] == "ClusterOpenSearchConnection"
    world.kube.reset_counts()
    await world.operator.restart()
    searches = world.ml.count("search-models")
    await eventually(lambda: world.ml.count("search-models") > searches, seconds=30)
    await world.quiet()
    assert world.writes() == {}, "what has not changed costs no write"
    delete_set(world, "stranger")
    delete_set(world, "insider")
    await set_gone(world, "stranger")
    await set_gone(world, "insider")
    assert world.nothing_left


async def test_without_a_word_nobody_is_let_in(world: Scene) -> None:
    share(world)
    use(world, "team")
    await shut_out(world, "team")
    assert world.remote() == (0, 0, 0)


async def test_a_label_lets_in_and_its_loss_shuts_out(world: Scene) -> None:
    share(world, allowedNamespaces=BY_LABEL)
    use(world, "team")
    await shut_out(world, "team")
    label(world, "team", "yes")
    await all_ready(world, "team")
    ids = [world.status(plural, name)["id"] for plural, name in SET]

    label(world, "team", "no")
    await shut_out(world, "team")
    await world.becomes(MODELS, "model", "ReferencesResolved", "NamespaceNotAllowed")
    world.edit(GROUPS, "group", description="changed by one who is shut out")
    world.edit(CONNECTORS, "connector", parameters={"model": "another"})
    await world.quiet()
    assert [world.status(plural, name)["id"] for plural, name in SET] == ids, "what is there is left alone"
    assert world.remote() == (1, 1, 1)
    (group,) = world.ml.groups.values()
    assert "shut out" not in group["description"]

    delete_set(world, "team")
    await set_gone(world, "team")
    assert world.nothing_left, "deletion always cleans up"


async def test_a_label_is_known_after_a_restart(world: Scene) -> None:
    share(world, allowedNamespaces=BY_LABEL)
    use(world, "team")
    label(world, "team", "yes")
    await all_ready(world, "team")
    await world.quiet()
    await world.operator.crash()
    label(world, "team", None)
    await world.operator.start()
    await shut_out(world, "team")
    assert world.remote() == (1, 1, 1)


async def test_the_owner_changes_who_is_let_in(world: Scene) -> None:
    share(world, allowedNamespaces={"names": ["team"]})
    use(world, "team")
    await all_ready(world, "team")
    world.edit(CLUSTER_CONNECTIONS, "shared", allowedNamespaces={"names": ["others"]})
    await shut_out(world, "team")
    world.edit(CLUSTER_CONNECTIONS, "shared", allowedNamespaces={"names": ["others", "team"]})
    await all_ready(world, "team")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connectorID", "theirs"),
        ("modelGroupID", "theirs"),
        ("guardrails", {"type": "model", "input_guardrail": {"model_id": "theirs"}}),
    ],
)
async def test_what_belongs_to_others_cannot_be_named(world: Scene, field: str, value: Any) -> None:
    share(world, allowedNamespaces={"names": ["team"]})
    use(world, "team")
    await all_ready(world, "team")
    (connector,), (group,) = world.ml.connectors, world.ml.groups
    raw = {"connectorID": connector, "modelGroupID": group}.get(field, value)
    spec: dict[str, Any] = {**SHARED, "connectorRef": {"name": "connector"}, field: raw}
    if field == "connectorID":
        del spec["connectorRef"]
    world.create(MODELS, "thief", spec)
    fact = await world.becomes(MODELS, "thief", "ReferencesResolved", "NamespaceNotAllowed")
    assert f"spec.{field}" in fact["message"]
    assert world.condition(MODELS, "thief", "Stalled")["status"] == "True"
    assert len(world.ml.models) == 1
    if field != "guardrails":
        world.edit(CLUSTER_CONNECTIONS, "shared", allowExternalIDs=True)
        await eventually(lambda: world.is_ready(MODELS, "thief"), seconds=30)


async def test_a_tenant_cannot_name_a_foreign_secret(world: Scene) -> None:
    share(world, allowedNamespaces={"names": ["team"]})
    world.namespace = "platform"
    world.secret("key", token="value-of-the-platform")
    world.namespace = "team"
    foreign = {"name": "key", "namespace": "platform", "key": "token"}
    credentials = [{"name": "token", "secretKeyRef": foreign}]
    world.create(CONNECTORS, "connector", connector_spec(**SHARED, credentials=credentials))
    await world.becomes(CONNECTORS, "connector", "CredentialsResolved", "SecretNotFound")
    reads = [call for call in world.kube.calls if call.counted.resource == "secrets"]
    assert {call.namespace for call in reads} == {"team"}
    assert world.remote() == (0, 0, 0)


async def test_the_connection_stays_as_long_as_it_is_used_and_no_longer(world: Scene) -> None:
    share(world, allowedNamespaces=BY_LABEL)
    use(world, "stranger")
    use(world, "team")
    label(world, "team", "yes")
    await all_ready(world, "team")
    label(world, "team", None)
    await shut_out(world, "team")
    world.delete(CLUSTER_CONNECTIONS, "shared")
    held = await world.becomes(CLUSTER_CONNECTIONS, "shared", "Deletable", "UsedByModels", seconds=30)
    assert "team/" in held["message"]
    assert "stranger/" not in held["message"]
    delete_set(world, "team")
    await set_gone(world, "team")
    await eventually(lambda: not world.kube.objects(CLUSTER_CONNECTIONS), seconds=30)
    assert world.nothing_left
    world.namespace = "stranger"
    missing = await world.becomes(GROUPS, "group", "ReferencesResolved", "ConnectionNotFound")
    assert "in namespace" not in missing["message"]


async def test_a_stranger_cannot_keep_a_setting_from_others(world: Scene) -> None:
    share(world, allowedNamespaces={"names": ["team"]})
    setting = {"settings": {"safe_delete_model": True}, **SHARED}
    world.namespace = "stranger"
    world.create(SETTINGS, "first", setting)
    await world.becomes(SETTINGS, "first", "ReferencesResolved", "NamespaceNotAllowed")
    world.namespace = "team"
    world.create(SETTINGS, "second", setting)
    await world.becomes(SETTINGS, "second", "Ready", "Succeeded")

    world.edit(CLUSTER_CONNECTIONS, "shared", allowedNamespaces={"names": ["team", "stranger"]})
    world.namespace = "stranger"
    conflict = await world.becomes(SETTINGS, "first", "Synced", "Conflict", seconds=30)
    assert "one of another namespace" in conflict["message"]
    assert "second" not in conflict["message"]


async def test_a_certificate_that_is_not_verified_is_warned_of_once(world: Scene) -> None:
    share(world, tls={"insecureSkipVerify": True})

    def warnings() -> int:
        return sum(event["reason"] == "InsecureTLS" for event in world.kube.events)

    await eventually(lambda: warnings() == 1)
    await world.quiet()
    await world.operator.restart()
    looks = world.ml.count("get-info")
    await eventually(lambda: world.ml.count("get-info") >= looks + 2)
    await world.quiet()
    assert warnings() == 1


async def test_an_operator_of_single_namespaces_says_that_it_knows_none(stage: Stage) -> None:
    world = await stage(settings={"watch_namespaces": "team"}, start=False)
    world.namespace = "team"
    world.secret("key", token="value-of-the-credential")  # and with it the namespace
    await world.operator.start()
    share(world, allowedNamespaces={"names": ["team"]})
    use(world, "team")
    fact = await world.becomes(GROUPS, "group", "ReferencesResolved", "ConnectionNotFound")
    assert "watches single namespaces" in fact["message"]
    asked = {call.counted.resource for call in world.kube.calls}
    assert not asked & {CLUSTER_CONNECTIONS, "namespaces"}, "its Roles allow neither"


async def test_both_kinds_live_side_by_side_under_one_name(stage: Stage) -> None:
    world = await stage()
    async with FakeMLCommons(settings={"connector.private_ip_enabled": "true"}) as other:
        world.namespace = "team"
        share(world, allowedNamespaces={"names": ["team"]})
        world.connection("shared", endpoints=[other.url])
        world.create(GROUPS, "one", SHARED)
        world.group("two", connectionRef={"name": "shared"})
        await eventually(lambda: world.is_ready(GROUPS, "one") and world.is_ready(GROUPS, "two"))
        assert [group["name"] for group in world.ml.groups.values()] == ["one"]
        assert [group["name"] for group in other.groups.values()] == ["two"]


@pytest.mark.parametrize("wish", [{"id": "theirs"}, {"name": "theirs"}], ids=str)
async def test_what_belongs_to_others_cannot_be_adopted(world: Scene, wish: dict[str, str]) -> None:
    share(world, allowedNamespaces={"names": ["team"]})
    world.create(GROUPS, "group", {**SHARED, "adopt": wish})
    fact = await world.becomes(GROUPS, "group", "ReferencesResolved", "NamespaceNotAllowed", seconds=30)
    assert "spec.adopt" in fact["message"]
    assert world.ml.count("get-group", "search-groups") == 0
    world.edit(CLUSTER_CONNECTIONS, "shared", allowExternalIDs=True)
    fact = await world.becomes(GROUPS, "group", "Synced", "Rejected", seconds=30)
    assert "no group theirs" in fact["message"]
    assert world.condition(GROUPS, "group", "ReferencesResolved")["status"] == "True"


async def test_orphans_are_those_of_no_namespace(world: Scene) -> None:
    """What one namespace has is no orphan, although the connection is in none."""
    share(world, allowedNamespaces={"names": ["one", "two"]})
    for namespace in ("one", "two"):
        use(world, namespace)
        await all_ready(world, namespace)
    world.namespace = "one"
    lost = world.status(MODELS, "model")["id"]
    for documents in (world.ml.models, world.ml.connectors, world.ml.groups):
        for document in documents.values():
            document["created_time"] = 1_000
    world.kube.vanish(MODELS, "model", "one")
    everything = " ".join([*world.ml.models, *world.ml.connectors, *world.ml.groups])
    world.kube.annotate(CLUSTER_CONNECTIONS, "shared", {"opensearchml.io/delete-orphans": everything})
    await eventually(lambda: lost not in world.ml.models, seconds=20)
    await world.quiet()
    assert world.remote() == (2, 2, 1)
