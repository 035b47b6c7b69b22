"""A connector at rest costs next to nothing, until its Secret or anything else that it has is another."""

from __future__ import annotations

from opensearch_ml_operator.reconcilers.ports import SecretData
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import NAMESPACE
from unit.reconcilers.connector.one_connector import KEY, respec
from unit.reconcilers.driving import LITTLE, Driver


async def test_a_run_that_finds_everything_as_it_was_is_short(
    resting: Driver, cluster: MemoryOpenSearch
) -> None:
    before = cluster.count("observe_connector")
    assert await resting.calls() < LITTLE
    assert cluster.count("observe_connector") == before + 1, "it looks all the same"


async def test_new_bytes_in_the_secret_are_noticed(resting: Driver) -> None:
    resting.stage.secrets.secrets[NAMESPACE, "keys"] = SecretData("uid/2", {"a": b"new", "b": b"second"})
    await resting.rest()
    assert resting.stage.events.reasons == ["CredentialsRotated"]


async def test_a_secret_that_is_gone_is_noticed(resting: Driver) -> None:
    del resting.stage.secrets.secrets[NAMESPACE, "keys"]
    await resting.once()
    assert resting.condition("CredentialsResolved") == ("False", "SecretNotFound")


async def test_a_connector_that_keeps_an_earlier_one_is_looked_at_by_the_clock(resting: Driver) -> None:
    resting.stage.store.change(
        KEY,
        status={**resting.status, "previous": [{"id": "old", "since": "2026-01-01T00:00:00Z"}]},
    )
    await resting.once()
    assert await resting.calls() > LITTLE


async def test_a_changed_spec_is_acted_on(resting: Driver, cluster: MemoryOpenSearch) -> None:
    respec(resting, parameters={"model": "large", "size": 3})
    await resting.rest()
    assert cluster.docs["connector"][resting.status["id"]]["parameters"]["model"] == "large"
