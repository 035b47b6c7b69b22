"""One cluster's settings and the MLClusterSettings that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.settings.claims import TRUSTED
from opensearch_ml_operator.reconcilers.settings.reconciler import SettingsReconciler
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import CONNECTION, NAMESPACE, Stage
from unit.reconcilers.driving import Driver

KIND = "MLClusterSettings"
X, Y = "plugins.ml_commons.x", "plugins.ml_commons.y"
DEFAULT = ["d1", "d2"]
MAIN = ObjectKey("OpenSearchConnection", NAMESPACE, CONNECTION)


class World:
    """One cluster, one operator, and some objects in the order in which they were made."""

    def __init__(self, **persistent: Any) -> None:
        self.stage = Stage()
        self.cluster: MemoryOpenSearch = self.stage.cluster()
        self.cluster.settings["defaults"] = {TRUSTED: DEFAULT}
        self.cluster.settings["persistent"] = persistent
        self.reconciler = SettingsReconciler(self.stage.ports())
        self.made = 0

    @property
    def stands(self) -> Mapping[str, Any]:
        return self.cluster.settings["persistent"]

    def add(self, name: str, **spec: Any) -> Driver:
        self.made += 1
        created = f"2026-01-01T00:00:{self.made:02}Z"
        whole = {"connectionRef": {"name": CONNECTION}, **spec}
        key = self.stage.add(KIND, name, spec=whole, created=created).key
        self.stage.links[MAIN] = (*self.stage.links.get(MAIN, ()), key)
        return Driver(self.stage, self.reconciler, key)

    def edit(self, driver: Driver, **spec: Any) -> None:
        self.stage.store.change(driver.key, spec={"connectionRef": {"name": CONNECTION}, **spec})

    async def gone(self, driver: Driver) -> None:
        """Delete an object, and forget it when it may go."""
        driver.delete()
        assert (await driver.rest()).finalized
        self.forget(driver)

    def forget(self, driver: Driver) -> None:
        del self.stage.store.objects[driver.key]
        self.stage.links[MAIN] = tuple(key for key in self.stage.links[MAIN] if key != driver.key)
