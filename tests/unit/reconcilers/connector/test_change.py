"""How a change reaches a connector: in place while nobody uses it, as a new revision, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.reconcilers.connector import change
from opensearch_ml_operator.reconcilers.connector.change import InPlace, NewRevision, Refuse, Strategy
from opensearch_ml_operator.reconcilers.connector.reconciler import ConnectorReconciler
from opensearch_ml_operator.reconcilers.ports import SecretData
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE
from unit.reconcilers.connector.one_connector import KEY, MODEL, SPEC, respec
from unit.reconcilers.driving import Driver


@pytest.mark.parametrize(
    ("strategy", "used", "unsayable", "step"),
    [
        ("Swap", False, (), InPlace),
        ("Swap", True, (), NewRevision),
        ("Swap", False, ("parameters.x",), NewRevision),
        ("Swap", True, ("parameters.x",), NewRevision),
        ("Redeploy", True, (), InPlace),
        ("Redeploy", True, ("parameters.x",), Refuse),
        ("InPlaceOnly", False, (), InPlace),
        ("InPlaceOnly", True, (), InPlace),
        ("InPlaceOnly", False, ("parameters.x",), Refuse),
        ("InPlaceOnly", True, ("parameters.x",), Refuse),
    ],
)
def test_the_plan(strategy: Strategy, unsayable: tuple[str, ...], step: type, *, used: bool) -> None:
    planned = change.plan(strategy, used=used, unsayable=unsayable)
    assert type(planned) is step
    if isinstance(planned, Refuse):
        assert "parameters.x" in planned.words


CONTENT: Mapping[str, Any] = {"protocol": "http", "parameters": {"a": "1"}, "actions": []}
SHOWN: Mapping[str, Any] = {"protocol": "http", "parameters": {"a": "0"}, "actions": [{}]}
ROLES: Mapping[str, Any] = {"access_mode": "restricted", "backend_roles": ["x", "y"]}
SHOWN_ROLES: Mapping[str, Any] = {"access": "restricted", "backend_roles": ["y", "x"]}


@pytest.mark.parametrize(
    ("content", "shown", "names", "found"),
    [
        pytest.param({}, {}, True, (), id="values"),
        pytest.param({"parameters": {"a": "1", "b": "2"}}, {}, True, (), id="key-added"),
        pytest.param({"parameters": {}}, {}, True, ("parameters.a",), id="key-removed"),
        pytest.param({}, {"parameters": None}, True, (), id="no-parameters"),
        pytest.param({}, {}, False, ("credentials",), id="credential-names"),
        pytest.param({"protocol": "aws_sigv4"}, {}, True, ("protocol",), id="protocol"),
        pytest.param({"client_config": {"max_connection": 1}}, {}, True, (), id="client-config-added"),
        pytest.param({}, {"client_config": {"max_connection": 1}}, True, ("clientConfig",), id="and-removed"),
        pytest.param({}, {"access": "private"}, True, (), id="private-by-default"),
        pytest.param({"access_mode": "private"}, {"access": "private"}, True, (), id="private"),
        pytest.param({"access_mode": "public"}, {"access": "private"}, True, ("access",), id="opened"),
        pytest.param({}, {"access": "public"}, True, ("access",), id="closed"),
        pytest.param(ROLES, SHOWN_ROLES, True, (), id="roles"),
        pytest.param({**ROLES, "backend_roles": ["x"]}, SHOWN_ROLES, True, ("access",), id="role-removed"),
        pytest.param(
            {"access_mode": "restricted", "add_all_backend_roles": True},
            SHOWN_ROLES,
            True,
            (),
            id="all-roles",
        ),
    ],
)
def test_what_a_change_in_place_cannot_express(
    content: Mapping[str, Any], shown: Mapping[str, Any], found: tuple[str, ...], *, names: bool
) -> None:
    wanted, observed = {**CONTENT, **content}, {**SHOWN, **shown}
    assert change.unsayable(wanted, observed, same_credential_names=names) == found


def use(driver: Driver, cluster: MemoryOpenSearch, *, state: str = "DEPLOYED") -> str:
    """Let a RemoteModel refer to the connector, and its model in OpenSearch too."""
    driver.stage.add("RemoteModel", "user", status={"connectorID": driver.status["id"]})
    driver.stage.links[KEY] = (MODEL,)
    return cluster.put("model", {"connector_id": driver.status["id"], "model_state": state})


async def test_what_nobody_uses_is_changed_in_place(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    first, writes = driver.status["id"], len(driver.stage.store.writes)
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()

    assert (driver.status["id"], driver.status["revision"]) == (first, 1)
    assert cluster.docs["connector"][first]["parameters"] == {"model": "large", "size": "3"}
    assert cluster.count("update_connector", "create_connector") == 2
    assert len(driver.stage.store.writes) == writes + 1
    await driver.spend(6000)
    assert cluster.count("update_connector") == 1


async def test_a_new_credential_is_sent_in_place_too(driver: Driver, cluster: MemoryOpenSearch) -> None:
    sent: list[Mapping[str, Any]] = []
    update = cluster.update_connector

    async def update_connector(connector_id: str, body: Mapping[str, Any]) -> None:
        sent.append(body)
        await update(connector_id, body)

    cluster.update_connector = update_connector  # type: ignore[method-assign]
    await driver.rest()
    driver.stage.secrets.secrets[NAMESPACE, "keys"] = SecretData("uid/2", {"a": b"third"})
    await driver.rest()

    assert [body["credential"] for body in sent] == [{"key": "third"}]
    assert "protocol" not in sent[0]
    assert driver.status["revision"] == 1
    assert "CredentialsRotated" in driver.stage.events.reasons


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"model": "small"}},
        {"credentials": []},
        {"protocol": "aws_sigv4"},
    ],
)
async def test_what_cannot_be_said_in_place_makes_a_new_revision(
    driver: Driver, cluster: MemoryOpenSearch, changes: Mapping[str, Any]
) -> None:
    await driver.rest()
    first = driver.status["id"]
    respec(driver, **changes)
    await driver.rest()

    assert driver.status["revision"] == 2
    assert [each["id"] for each in driver.status["previous"]] == [first]
    assert cluster.count("update_connector") == 0
    assert cluster.docs["connector"][driver.status["id"]]["parameters"].keys() == set(
        changes.get("parameters", SPEC["parameters"])
    )


async def test_a_deployed_model_that_is_not_ours_makes_it_a_swap(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    first = driver.status["id"]
    use(driver, cluster)
    driver.stage.links.clear()
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()

    assert driver.status["id"] != first
    assert cluster.docs["connector"][first]["parameters"] == {"model": "small", "size": "3"}


async def test_in_place_only_never_takes_another_id(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, update={"strategy": "InPlaceOnly"})
    await driver.rest()
    first = driver.status["id"]
    model = use(driver, cluster)
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()
    assert driver.condition("Synced") == ("False", "Rejected")
    assert "update_connector failed" in driver.message("Synced")
    assert driver.condition("Stalled")[0] == "True"
    writes = len(driver.stage.store.writes)
    await driver.spend(3000)
    assert len(driver.stage.store.writes) == writes

    cluster.show("model", model, model_state="UNDEPLOYED")
    await driver.spend(600)
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.docs["connector"][first]["parameters"] == {"model": "large", "size": "3"}
    assert list(cluster.docs["connector"]) == [first]


async def test_in_place_only_does_not_leave_a_removed_key_behind(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, update={"strategy": "InPlaceOnly"})
    await driver.rest()
    respec(driver, parameters={"model": "small"})
    await driver.rest()
    assert driver.condition("Synced") == ("False", "Rejected")
    assert "parameters.size" in driver.message("Synced")
    assert cluster.count("update_connector") == 0

    respec(driver, parameters=SPEC["parameters"])
    await driver.rest()
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_refused_change_that_is_taken_back_costs_nothing(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    respec(driver, update={"strategy": "InPlaceOnly"})
    await driver.rest()
    use(driver, cluster)
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()
    refused = cluster.count("update_connector")
    respec(driver, parameters=SPEC["parameters"])
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert cluster.count("update_connector") == refused


@pytest.mark.parametrize("other", [{"key": "b"}, {"key": "a"}], ids=["again", "taken back"])
async def test_a_change_that_nobody_recorded_is_made_again_or_taken_back(
    driver: Driver, cluster: MemoryOpenSearch, other: Mapping[str, str]
) -> None:
    """Whose credential a connector has is not shown: its description tells which request it had last."""
    await driver.rest()
    before = driver.status
    sent: list[Any] = []
    update = cluster.update_connector

    async def update_connector(connector_id: str, body: Mapping[str, Any]) -> None:
        sent.append(body["credential"])
        await update(connector_id, body)

    cluster.update_connector = update_connector  # type: ignore[method-assign]
    respec(driver, credentials=[{"name": "key", "secretKeyRef": {"name": "keys", "key": "b"}}])
    await driver.rest()
    driver.stage.store.change(KEY, status=before)  # the record was lost
    respec(driver, credentials=[{"name": "key", "secretKeyRef": {"name": "keys", **other}}])
    await Driver(driver.stage, ConnectorReconciler(driver.stage.ports("pod-2")), KEY).rest()

    assert sent == [{"key": "second"}, {"key": "second" if other["key"] == "b" else "first"}]
    assert driver.status["revision"] == 1


async def test_a_model_that_is_being_deployed_meanwhile_is_not_trusted_to_have_read_the_change(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    update = cluster.update_connector

    async def update_connector(connector_id: str, body: Mapping[str, Any]) -> None:
        await update(connector_id, body)
        driver.stage.add("RemoteModel", "user", status={"pending": {"role": "Deploy"}})
        driver.stage.links[KEY] = (MODEL,)

    cluster.update_connector = update_connector  # type: ignore[method-assign]
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()

    assert driver.status["revision"] == 2


async def test_a_change_without_a_clear_answer_is_made_again(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    cluster.fail("update_connector", MLCode.AMBIGUOUS, carried_out=True)
    respec(driver, parameters={"model": "large", "size": 3})
    await driver.rest()

    assert cluster.count("update_connector") == 2
    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["revision"] == 1
