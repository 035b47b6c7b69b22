"""Who uses a connection is counted when that has changed, and not at each health check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.connection.reconciler import ConnectionReconciler
from support.memory_ports import NAMESPACE, MemoryCatalog, Stage

CONNECTION = ObjectKey("OpenSearchConnection", NAMESPACE, "main")


class Catalog(MemoryCatalog):
    """Has a version, and counts who asks for dependents."""

    number = 1
    asked = 0

    @property
    def version(self) -> object:
        return self.number

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        self.asked += 1
        return super().dependents(key)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.cluster()
    stage.store.change(CONNECTION, spec={"endpoints": ["http://127.0.0.1:1"]})
    return stage


async def test_users_are_counted_once_for_each_change(stage: Stage) -> None:
    catalog = Catalog(stage.store, stage.links)
    reconciler = ConnectionReconciler(replace(stage.ports(), catalog=catalog))

    async def models() -> int:
        await reconciler.reconcile(stage.store.objects[CONNECTION])
        return int(stage.store.objects[CONNECTION].status["usedBy"]["models"])

    assert await models() == 0
    assert await models() == 0
    asked = catalog.asked
    assert await models() == 0
    assert catalog.asked == asked
    stage.links[CONNECTION] = (ObjectKey("RemoteModel", NAMESPACE, "m"),)
    catalog.number = 2
    assert await models() == 1
    assert catalog.asked > asked
