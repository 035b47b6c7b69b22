"""New bytes in a Secret: new connectors behind the same models, new logins to the same cluster."""

from __future__ import annotations

from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, MODELS, Scene

from .conftest import Stage


async def test_a_new_key_moves_the_model_and_then_removes_the_old_connector(world: Scene) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "20s"}, resyncInterval="30s")
    await world.ready()
    ((old, _),) = world.ml.connectors.items()
    ((model, _),) = world.ml.models.items()
    world.secret("key", token="the-next-value")
    await eventually(lambda: len(world.ml.connectors) == 2, seconds=20)
    await eventually(lambda: world.ml.cluster.loaded[model] != old)
    await world.ready()
    (new,) = set(world.ml.connectors) - {old}
    assert world.ml.connectors[new]["credential"] == {"token": "the-next-value"}
    await eventually(lambda: world.status(MODELS, "model")["connectorID"] == new)
    assert [previous["id"] for previous in world.status(CONNECTORS, "connector")["previous"]] == [old]
    await eventually(lambda: list(world.ml.connectors) == [new], seconds=20)
    await world.ready()
    world.check_one_each()
    assert list(world.ml.models) == [model]
    assert world.ml.count("undeploy-model") == 0
    assert world.ml.count("deploy-model") == 1


async def test_keys_that_change_faster_than_models_move_leave_one_connector(world: Scene) -> None:
    world.everything()
    world.edit(CONNECTORS, "connector", update={"keepOldFor": "0s"})
    await world.ready()
    ((model, _),) = world.ml.models.items()
    for number in range(5):
        world.secret("key", token=f"value-number-{number}")
        world.look_again(CONNECTORS, "connector")
        await eventually(
            lambda: world.ml.count("create-connector") >= number + 2,  # noqa: B023 - used at once
        )
    await eventually(lambda: len(world.ml.connectors) == 1, seconds=20)
    await world.ready()
    world.check_one_each()
    assert world.ml.connectors[world.ml.cluster.loaded[model]]["credential"] == {"token": "value-number-4"}
    assert list(world.ml.models) == [model]


async def test_a_new_password_of_the_cluster_loses_nothing(stage: Stage) -> None:
    world = await stage(users={"admin": "password-of-admin"})
    world.everything()
    world.edit(CONNECTIONS, "main", healthInterval="5s")
    await world.ready()
    before = (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models))
    world.ml.cluster.users["admin"] = "next-password"
    await world.becomes(CONNECTIONS, "main", "Reachable", "AuthenticationFailed")
    world.secret("main-login", username="admin", password="next-password")
    world.edit(MODELS, "model", description="After the rotation")
    await world.ready(seconds=30)
    assert (set(world.ml.groups), set(world.ml.connectors), set(world.ml.models)) == before
    (document,) = world.ml.models.values()
    assert document["description"].startswith("After the rotation ")


async def test_a_secret_that_goes_takes_nothing_down(world: Scene) -> None:
    world.everything()
    await world.ready()
    before = dict(world.ml.cluster.loaded)
    world.kube.delete("secrets", "key", world.namespace)
    world.look_again(CONNECTORS, "connector")
    await world.becomes(CONNECTORS, "connector", "CredentialsResolved", "SecretNotFound")
    assert world.is_ready(MODELS, "model")
    assert world.ml.cluster.loaded == before
    assert len(world.ml.connectors) == 1
