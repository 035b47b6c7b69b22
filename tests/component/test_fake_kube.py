"""The fake API server is good enough for kopf: the life of an object, seen by handlers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from typing_extensions import override

from opensearch_ml_operator.constants import FINALIZER, GROUP, VERSION
from support.eventually import eventually
from support.fake_kube import FakeKube, Fault

PLURAL = "remotemodels"
MODEL = {"metadata": {"name": "m"}, "spec": {"connectorID": "c"}}
PATCH = ("patch", PLURAL, "")


class Handlers:
    """Records what kopf delivers."""

    def __init__(self) -> None:
        self.registry = kopf.OperatorRegistry()
        self.events: list[tuple[str | None, str]] = []
        self.deletions: list[str] = []
        kopf.on.event(GROUP, VERSION, PLURAL, registry=self.registry)(self._on_event)
        kopf.on.delete(GROUP, VERSION, PLURAL, registry=self.registry)(self._on_delete)
        kopf.on.login(registry=self.registry)(kopf.login_with_kubeconfig)

    async def _on_event(self, type: str | None, name: str, **_: Any) -> None:  # noqa: A002 - kopf's name
        self.events.append((type, name))

    async def _on_delete(self, name: str, **_: Any) -> None:
        self.deletions.append(name)


class NoDiffBase(kopf.DiffBaseStorage):
    """As the operator has it: nothing is stored on the object."""

    @override
    def build(self, **_: Any) -> Any:
        return {}

    @override
    def fetch(self, **_: Any) -> Any:
        return {}

    @override
    def store(self, **_: Any) -> None:
        pass


def settings() -> kopf.OperatorSettings:
    result = kopf.OperatorSettings()
    result.persistence.finalizer = FINALIZER
    result.persistence.diffbase_storage = NoDiffBase()
    result.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}", v1=False)
    result.peering.standalone = True
    result.scanning.disabled = True
    result.posting.enabled = False
    result.watching.chunk_size = 2
    result.networking.error_backoffs = [0.05] * 100
    return result


@contextlib.asynccontextmanager
async def operator(handlers: Handlers) -> AsyncIterator[None]:
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        kopf.operator(
            registry=handlers.registry,
            settings=settings(),
            clusterwide=True,
            ready_flag=ready,
            stop_flag=stop,
        )
    )
    try:
        await eventually(lambda: ready.is_set() or running.done())
        yield
    finally:
        stop.set()
        await running


@pytest.fixture
async def kube(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeKube]:
    async with FakeKube(bookmark_seconds=0.1) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kubeconfig")))
        yield fake


def finalizers(kube: FakeKube, name: str = "m") -> list[str]:
    body = kube.get(PLURAL, name)
    assert body is not None
    return list(body["metadata"].get("finalizers", []))


async def test_life_of_an_object_costs_one_patch_for_each_end(kube: FakeKube) -> None:
    handlers = Handlers()
    async with operator(handlers):
        kube.create(PLURAL, MODEL)
        await eventually(lambda: finalizers(kube) == [FINALIZER])
        await eventually(lambda: ("MODIFIED", "m") in handlers.events)
        assert kube.counts[PATCH] == 1
        kube.delete(PLURAL, "m")
        await eventually(lambda: kube.get(PLURAL, "m") is None)
        await eventually(lambda: ("DELETED", "m") in handlers.events)
    assert handlers.deletions == ["m"]
    assert kube.counts[PATCH] == 2


async def test_objects_of_all_pages_and_namespaces_are_listed(kube: FakeKube) -> None:
    for number in range(5):
        kube.create(PLURAL, {"metadata": {"name": f"m{number}", "namespace": f"team-{number}"}})
    handlers = Handlers()
    async with operator(handlers):
        await eventually(lambda: {name for kind, name in handlers.events if kind is None} >= {"m0", "m4"})
        await eventually(lambda: kube.counts["patch", PLURAL, ""] == 5)
    assert kube.counts["list", PLURAL, ""] == 3


async def test_nothing_is_lost_when_watches_are_cut(kube: FakeKube) -> None:
    handlers = Handlers()
    async with operator(handlers):
        await eventually(lambda: kube.counts["watch", PLURAL, ""] == 1)
        kube.cut_watches()
        kube.create(PLURAL, MODEL)
        await eventually(lambda: ("MODIFIED", "m") in handlers.events)
    assert kube.counts["list", PLURAL, ""] == 1


async def test_a_forgotten_past_leads_to_a_new_list(kube: FakeKube) -> None:
    kube.create(PLURAL, {**MODEL, "metadata": {"name": "m", "finalizers": [FINALIZER]}})
    handlers = Handlers()
    async with operator(handlers):
        await eventually(lambda: kube.counts["watch", PLURAL, ""] == 1)
        await kube.stop()
        kube.vanish(PLURAL, "m")
        kube.create(PLURAL, {"metadata": {"name": "n"}})
        kube.compact()
        await kube.start()
        await eventually(lambda: (None, "n") in handlers.events)
    assert ("DELETED", "m") not in handlers.events


async def test_a_finalizer_patch_that_lost_the_race_is_sent_again(kube: FakeKube) -> None:
    kube.fail(Fault(verb="patch", resource=PLURAL, status=422))
    handlers = Handlers()
    async with operator(handlers):
        kube.create(PLURAL, MODEL)
        await eventually(lambda: kube.counts[PATCH] == 1)
        kube.annotate(PLURAL, "m", {"team": "a"})
        await eventually(lambda: finalizers(kube) == [FINALIZER])
    assert kube.counts[PATCH] == 2
