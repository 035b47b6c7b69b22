"""`spec.extra` of a RemoteModel: sent once, put back, and never taken for what has a field of its own."""

from __future__ import annotations

from typing import Any

from support.memory_opensearch import MemoryOpenSearch
from unit.reconcilers.driving import Driver
from unit.reconcilers.model.remote_model import respec

CONFIG = {"model_type": "text_embedding", "embedding_dimension": 768}


async def test_a_field_that_the_server_does_not_show_is_sent_once(
    driver: Driver, cluster: MemoryOpenSearch
) -> None:
    await driver.rest()
    update = cluster.update_model
    sent: list[dict[str, Any]] = []

    async def forgetful(model_id: str, body: Any) -> None:
        sent.append(dict(body))
        await update(model_id, {key: value for key, value in body.items() if key != "hidden"})

    cluster.update_model = forgetful  # type: ignore[method-assign]
    respec(driver, extra={"hidden": 1})
    await driver.rest()
    await driver.spend(3000)

    assert sent == [{"hidden": 1}]
    assert driver.condition("Ready") == ("True", "Succeeded")


async def test_a_field_that_somebody_changes_is_put_back(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, extra={"model_config": CONFIG})
    await driver.rest()
    id_ = driver.status["id"]
    assert cluster.docs["model"][id_]["model_config"] == CONFIG
    cluster.show("model", id_, model_config={**CONFIG, "embedding_dimension": 3})
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert cluster.docs["model"][id_]["model_config"] == CONFIG
    assert "DriftCorrected" in driver.stage.events.reasons


async def test_a_field_that_cannot_be_taken_away_is_named(driver: Driver, cluster: MemoryOpenSearch) -> None:
    respec(driver, extra={"model_config": CONFIG, "other": 1})
    await driver.rest()
    respec(driver, extra={"other": 1}, description="Changed too.")
    await driver.rest()

    assert driver.condition("Synced") == ("False", "Rejected")
    assert "model_config" in driver.message("Synced")
    assert cluster.docs["model"][driver.status["id"]]["description"].startswith("Changed too.")
    cluster.docs["model"][driver.status["id"]].pop("model_config")
    driver.stage.clock.seconds += 600
    await driver.rest()

    assert driver.condition("Ready") == ("True", "Succeeded")
    assert driver.status["extraFields"] == ["other"]


async def test_a_clash_changes_nothing(driver: Driver, cluster: MemoryOpenSearch) -> None:
    await driver.rest()
    before = dict(cluster.docs["model"][driver.status["id"]])
    respec(driver, extra={"is_enabled": False}, description="Changed too.")
    await driver.once()

    assert driver.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.docs["model"][driver.status["id"]] == before
