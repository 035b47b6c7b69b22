"""A model's own connector: registered with it, changed whole and with its credential, never in part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.reconcilers.ports import SecretData
from support.kind_documents import PREDICT
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE, SECRET
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import fresh, respec

OWN: dict[str, Any] = {
    "parameters": {"model": "m"},
    "credentials": [{"name": "key", "secretKeyRef": {"name": "provider", "key": "api-key"}}],
    "actions": [PREDICT | {"headers": {"Authorization": "Bearer ${credential.key}"}}],
}


@pytest.fixture
def sent(cluster: MemoryOpenSearch) -> list[Mapping[str, Any]]:
    """Return the connectors that are sent, with their credentials."""
    seen: list[Mapping[str, Any]] = []
    register, update = cluster.register_model, cluster.update_model

    async def register_model(body: Mapping[str, Any]) -> Any:
        seen.append(body["connector"])
        return await register(body)

    async def update_model(model_id: str, body: Mapping[str, Any]) -> None:
        if "connector" in body:
            seen.append(body["connector"])
        await update(model_id, body)

    cluster.register_model = register_model  # type: ignore[method-assign]
    cluster.update_model = update_model  # type: ignore[method-assign]
    return seen


@pytest.fixture
def driver(driver: Driver) -> Driver:
    key(driver, SECRET)
    own(driver)
    return driver


def key(driver: Driver, value: str, *, revision: str = "1") -> None:
    data = {"api-key": value.encode()}
    driver.stage.secrets.secrets[NAMESPACE, "provider"] = SecretData(revision, data)


def own(driver: Driver, **changes: Any) -> None:
    spec = {name: value for name, value in {**OWN, **changes}.items() if value is not None}
    respec(driver, connectorRef=None, connectionRef={"name": "main"}, connector=spec)


def stored(driver: Driver, cluster: MemoryOpenSearch) -> dict[str, Any]:
    connector: dict[str, Any] = cluster.docs["model"][driver.status["id"]]["connector"]
    return connector


async def test_registered_with_the_model(
    driver: Driver, cluster: MemoryOpenSearch, sent: list[Mapping[str, Any]]
) -> None:
    await driver.rest()
    writes = len(driver.stage.store.writes)
    await driver.spend(3000)
    await fresh(driver).rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.condition("CredentialsResolved") == ("True", "Succeeded")
    assert "connectorID" not in driver.status
    (connector,) = sent
    assert connector["credential"] == {"key": SECRET}
    assert connector["name"] == "model"
    assert "connector_id" not in cluster.docs["model"][driver.status["id"]]
    assert len(driver.stage.store.writes) == writes == 4
    assert cluster.count("create_connector", "update_model") == 0
    assert SECRET not in str(driver.stage.store.writes) + str(driver.stage.events.posted)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"description": "new"}, "description"),
        ({"parameters": {"model": "n"}}, "parameters"),
        ({"actions": [PREDICT | {"url": "https://models.example/v2"}]}, "actions"),
        ({"name": "renamed"}, "name"),
        ({"version": "2"}, "version"),
        ({"clientConfig": {"maxConnection": 5}}, "client_config"),
        ({"extra": {"unheard_of": 1}}, "unheard_of"),
    ],
)
async def test_a_change_is_sent_whole_and_with_the_credential(
    driver: Driver,
    cluster: MemoryOpenSearch,
    sent: list[Mapping[str, Any]],
    changes: dict[str, Any],
    field: str,
) -> None:
    await driver.rest()
    id_ = driver.status["id"]
    own(driver, **changes)
    await driver.rest()
    await driver.spend(3000)

    before, after = sent
    assert after.keys() | {field} == (before.keys() | {field}) - {"protocol"}
    assert after["credential"] == {"key": SECRET}
    assert stored(driver, cluster)[field] == after[field] != before.get(field)
    assert driver.status["id"] == id_
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.stage.events.reasons.count("Updated") == 1


async def test_new_bytes_in_a_secret_are_sent(driver: Driver, sent: list[Mapping[str, Any]]) -> None:
    await driver.rest()
    key(driver, "second", revision="2")
    driver.stage.clock.seconds += 600
    await driver.rest()
    await driver.spend(3000)

    assert [each["credential"] for each in sent] == [{"key": SECRET}, {"key": "second"}]
    assert sent[1]["actions"] == sent[0]["actions"]
    assert "DriftCorrected" not in driver.stage.events.reasons


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_change_without_a_clear_answer_is_sent_again(
    driver: Driver, cluster: MemoryOpenSearch, sent: list[Mapping[str, Any]], *, carried_out: bool
) -> None:
    await driver.rest()
    cluster.fail("update_model", MLCode.AMBIGUOUS, carried_out=carried_out)
    own(driver, parameters={"model": "n"})
    await driver.rest()

    assert len(sent) == 3  # a node may not have heard of it, although the document says so
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_what_somebody_changes_is_put_back(
    driver: Driver, cluster: MemoryOpenSearch, sent: list[Mapping[str, Any]]
) -> None:
    await driver.rest()
    cluster.docs["model"][driver.status["id"]]["connector"] |= {"parameters": {"model": "theirs"}}
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert stored(driver, cluster)["parameters"] == {"model": "m"}
    assert sent[1]["credential"] == {"key": SECRET}
    assert "DriftCorrected" in driver.stage.events.reasons


async def test_an_unresolved_register_that_is_found_gets_the_credential(
    driver: Driver, cluster: MemoryOpenSearch, sent: list[Mapping[str, Any]]
) -> None:
    cluster.fail("register_model", MLCode.AMBIGUOUS, carried_out=True)
    await driver.once()
    key(driver, "second", revision="2")
    await fresh(driver).rest()

    assert len(cluster.docs["model"]) == 1
    assert sent[-1]["credential"] == {"key": "second"}
    assert driver.condition("Ready") == ("True", "Succeeded")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parameters": {}}, "connector.parameters.model"),
        ({"protocol": "aws_sigv4"}, "connector.protocol"),
    ],
)
async def test_what_the_server_cannot_do_is_named(
    driver: Driver,
    cluster: MemoryOpenSearch,
    sent: list[Mapping[str, Any]],
    changes: dict[str, Any],
    named: str,
) -> None:
    await driver.rest()
    own(driver, **changes)
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert driver.condition("Stalled") == ("True", "Rejected")
    assert named in driver.message("Synced")
    assert all("protocol" not in each for each in sent[1:])
    assert stored(driver, cluster)["protocol"] == "http"
    own(driver)
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_removed_description_is_named(driver: Driver) -> None:
    own(driver, description="once")
    await driver.rest()
    own(driver)
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert "connector.description" in driver.message("Synced")


async def test_a_missing_key_is_named_and_nothing_is_sent(
    driver: Driver, cluster: MemoryOpenSearch, sent: list[Mapping[str, Any]]
) -> None:
    driver.stage.secrets.secrets.clear()
    await driver.once()
    assert driver.condition("Ready") == ("False", "SecretNotFound")
    assert driver.condition("CredentialsResolved") == ("False", "SecretNotFound")
    assert sent == []
    key(driver, SECRET)
    await driver.rest()
    assert driver.condition("CredentialsResolved") == ("True", "Succeeded")
    driver.stage.secrets.secrets.clear()
    driver.stage.clock.seconds += 600
    await driver.once()

    assert driver.condition("Ready") == ("False", "SecretNotFound")
    assert driver.condition("Deployed") == ("True", "Succeeded")
    driver.delete()
    await driver.rest()
    assert cluster.docs["model"] == {}


async def test_an_address_that_must_not_be_called_is_refused(
    driver: Driver, sent: list[Mapping[str, Any]]
) -> None:
    driver.stage.pool.private = False
    own(driver, actions=[PREDICT | {"url": "http://10.0.0.1/v1"}])
    await driver.once()

    assert driver.condition("Ready") == ("False", "PrivateAddress")
    assert sent == []


async def test_a_rotated_key_is_probed(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, probe={"parameters": {"input": ["a"]}})
    await driver.rest()
    assert len(cluster.predictions) == 1
    key(driver, "second", revision="2")
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert len(cluster.predictions) == 2
