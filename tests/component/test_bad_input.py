"""What users and administrators get wrong: the exact condition, words that help, no harm, and it heals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.eventually import eventually
from support.scene import ADMIN, CONNECTIONS, CONNECTORS, GROUPS, MODELS, SPEED, URL, Scene, connector_spec

from .conftest import Stage

ML = "plugins.ml_commons."
Act = Callable[[Scene], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: how it is made, where and how it shows, and how it is mended.

    `later`: it may also befall a set that is Ready. `speed` of the operator's clock: what only a person can
    mend is tried again after five minutes.
    """

    name: str
    make: Act
    mend: Act
    plural: str
    object: str
    type: str
    reason: str
    words: tuple[str, ...]
    later: bool = False
    speed: float = SPEED


async def _do(act: Act, world: Scene) -> None:
    done = act(world)
    if done is not None:
        await done


def _set(name: str, value: Any) -> Act:
    def act(world: Scene) -> None:
        world.ml.cluster.persistent[ML + name] = value

    return act


def _plugin(*, installed: bool) -> Act:
    def act(world: Scene) -> None:
        world.ml.plugin_installed = installed

    return act


def _secret(name: str, **data: str) -> Act:
    return lambda world: world.secret(name, **data)


def _delete(plural: str, name: str) -> Act:
    return lambda world: world.delete(plural, name)


def _foreign_group(world: Scene) -> None:
    world.ml.groups["foreign"] = {"name": "group", "latest_version": 0, "access": "public"}


def _no_foreign_group(world: Scene) -> None:
    del world.ml.groups["foreign"]


def _forbid(operation: str) -> Act:
    return lambda world: world.ml.forbidden.add(operation)


def _allow(operation: str) -> Act:
    return lambda world: world.ml.forbidden.discard(operation)


def _edit_connector(**spec: Any) -> Act:
    return lambda world: world.edit(CONNECTORS, "connector", **spec)


RESYNC = {"resyncInterval": "30s"}
ACTION = connector_spec()["actions"][0]
KEY = {"token": "value-of-the-credential"}

MISTAKES = (
    Mistake(
        "a Secret that is missing",
        _delete("secrets", "key"),
        _secret("key", **KEY),
        *(CONNECTORS, "connector", "CredentialsResolved", "SecretNotFound"),
        ("Secret key", "Create it"),
    ),
    Mistake(
        "a key that is missing",
        _secret("key", other="value"),
        _secret("key", **KEY),
        *(CONNECTORS, "connector", "CredentialsResolved", "SecretKeyMissing"),
        ("Secret key", "token", "Add it"),
    ),
    Mistake(
        "a cluster that is away",
        lambda world: world.ml.stop(),
        lambda world: world.ml.start(),
        *(CONNECTIONS, "main", "Reachable", "Unreachable"),
        ("Check spec.endpoints",),
        later=True,
    ),
    Mistake(
        "a wrong password",
        _secret("main-login", username="admin", password="wrong"),
        _secret("main-login", **ADMIN),
        *(CONNECTIONS, "main", "Reachable", "AuthenticationFailed"),
        ("Check username and password",),
        later=True,
    ),
    Mistake(
        "a login that is missing",
        _delete("secrets", "main-login"),
        _secret("main-login", **ADMIN),
        *(CONNECTIONS, "main", "Reachable", "SecretNotFound"),
        ("Secret main-login", "Create it"),
        later=True,
    ),
    Mistake(
        "a login without a password",
        _secret("main-login", username="admin"),
        _secret("main-login", **ADMIN),
        *(CONNECTIONS, "main", "Reachable", "SecretKeyMissing"),
        ("Secret main-login", "password"),
        later=True,
    ),
    Mistake(
        "a cluster without the plugin",
        _plugin(installed=False),
        _plugin(installed=True),
        *(CONNECTIONS, "main", "Reachable", "PluginMissing"),
        ("Install the ML Commons plugin",),
        later=True,
    ),
    Mistake(
        "an endpoint that is not trusted",
        _set("trusted_connector_endpoints_regex", ["^https://somewhere/.*$"]),
        _set("trusted_connector_endpoints_regex", ["^http://127.*$"]),
        *(CONNECTORS, "connector", "Synced", "EndpointNotTrusted"),
        ("plugins.ml_commons.trusted_connector_endpoints_regex",),
    ),
    Mistake(
        "a private address",
        _set("connector.private_ip_enabled", "false"),
        _set("connector.private_ip_enabled", "true"),
        *(CONNECTORS, "connector", "Synced", "PrivateAddress"),
        ("127.0.0.1", "plugins.ml_commons.connector.private_ip_enabled"),
    ),
    Mistake(
        "a connection that does not exist",
        _delete(CONNECTIONS, "main"),
        lambda world: world.connection(healthInterval="5s"),
        *(GROUPS, "group", "ReferencesResolved", "ConnectionNotFound"),
        ("OpenSearchConnection main does not exist", "Create it"),
    ),
    Mistake(
        "a connector that does not exist",
        _delete(CONNECTORS, "connector"),
        lambda world: world.connector(),
        *(MODELS, "model", "ReferencesResolved", "ConnectorNotFound"),
        ("MLConnector connector does not exist", "Create it"),
    ),
    Mistake(
        "a group that does not exist",
        _delete(GROUPS, "group"),
        lambda world: world.group(),
        *(MODELS, "model", "ReferencesResolved", "ModelGroupNotFound"),
        ("MLModelGroup group does not exist", "Create it"),
    ),
    Mistake(
        "a role that may not create connectors",
        _forbid("create-connector"),
        _allow("create-connector"),
        *(CONNECTORS, "connector", "Synced", "PermissionDenied"),
        ("cluster:admin/opensearch/ml/create_connector", "docs/opensearch-role.md"),
    ),
    Mistake(
        "a role that may not register models",
        _forbid("register-model"),
        _allow("register-model"),
        *(MODELS, "model", "Synced", "PermissionDenied"),
        ("cluster:admin/opensearch/ml/register_model", "docs/opensearch-role.md"),
    ),
    Mistake(
        "a role that may not deploy",
        _forbid("deploy-model"),
        _allow("deploy-model"),
        *(MODELS, "model", "Deployed", "DeployTaskFailed"),
        ("cluster:admin/opensearch/ml/deploy_model",),
    ),
    Mistake(
        "a name that is taken",
        _foreign_group,
        _no_foreign_group,
        *(GROUPS, "group", "Synced", "Rejected"),
        ("foreign", "choose another spec.name"),
        speed=40.0,
    ),
    Mistake(
        "a stored spec that is invalid",
        _edit_connector(actions=[]),
        _edit_connector(actions=[ACTION]),
        *(CONNECTORS, "connector", "Synced", "InvalidSpec"),
        ("spec.actions",),
    ),
    Mistake(
        "a host that anyone may choose",
        _edit_connector(actions=[{**ACTION, "url": "https://${parameters.host}/v1"}]),
        _edit_connector(actions=[ACTION]),
        *(CONNECTORS, "connector", "Synced", "InvalidSpec"),
        ("host",),
    ),
    Mistake(
        "a text that OpenSearch refuses",
        _edit_connector(description="<b>bold</b>"),
        _edit_connector(description=None),
        *(CONNECTORS, "connector", "Synced", "Rejected"),
        ("Change the spec",),
    ),
)
STALLED = {"InvalidSpec", "Rejected"}


def _create(world: Scene) -> None:
    world.connection(healthInterval="5s")
    world.secret("key", **KEY)
    world.group(**RESYNC)
    world.connector(**RESYNC)
    world.model(**RESYNC)


async def _shows(world: Scene, mistake: Mistake) -> None:
    condition = await world.becomes(mistake.plural, mistake.object, mistake.type, mistake.reason)
    assert condition["status"] == "False"
    # A cluster that goes away cuts the connections that it has, before it refuses new ones.
    await eventually(
        lambda: all(
            words in world.condition(mistake.plural, mistake.object, mistake.type).get("message", "")
            for words in mistake.words
        ),
        seconds=30,
    )
    ready = world.condition(mistake.plural, mistake.object)
    assert (ready["status"], ready["reason"]) == ("False", mistake.reason)
    stalled = world.condition(mistake.plural, mistake.object, "Stalled").get("status")
    reconciling = world.condition(mistake.plural, mistake.object, "Reconciling").get("status")
    assert {stalled, reconciling} == {"True", None}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
async def test_a_mistake_shows_does_no_harm_and_heals(stage: Stage, mistake: Mistake) -> None:
    world = await stage(users={"admin": "password-of-admin"}, start=False, speed=mistake.speed)
    _create(world)
    await _do(mistake.make, world)
    await world.operator.start()
    await _shows(world, mistake)
    made = {GROUPS: world.ml.groups, CONNECTORS: world.ml.connectors, MODELS: world.ml.models}
    if mistake.type != "Deployed":
        foreign = {"foreign"} & set(made.get(mistake.plural, {}))
        assert set(made.get(mistake.plural, {})) == foreign
        assert not world.ml.models
    await _do(mistake.mend, world)
    await world.ready(seconds=30)
    world.check_one_each()
    events = {event["reason"] for event in world.kube.events if event["type"] == "Warning"}
    assert mistake.reason in events


@pytest.mark.parametrize(
    "mistake",
    [mistake for mistake in MISTAKES if mistake.later],
    ids=lambda mistake: mistake.name.replace(" ", "-"),
)
async def test_trouble_with_the_connection_loses_nothing(stage: Stage, mistake: Mistake) -> None:
    world = await stage(users={"admin": "password-of-admin"})
    _create(world)
    await world.ready()
    before = (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models))
    await _do(mistake.make, world)
    await _shows(world, mistake)
    await world.becomes(MODELS, "model", "ReferencesResolved", "ConnectionNotReady", seconds=30)
    await _do(mistake.mend, world)
    await world.ready(seconds=30)
    assert (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models)) == before
    world.check_one_each()


async def test_one_bad_connection_does_not_hold_the_others_up(world: Scene) -> None:
    world.create(CONNECTIONS, "dead", {"endpoints": ["http://127.0.0.1:9"]})
    world.create(CONNECTORS, "lonely", {**connector_spec(), "connectionRef": {"name": "dead"}})
    world.everything()
    await eventually(lambda: world.is_ready(MODELS, "model"))
    condition = await world.becomes(CONNECTORS, "lonely", "ReferencesResolved", "ConnectionNotReady")
    assert "dead" in condition["message"]
    assert URL not in condition["message"]
