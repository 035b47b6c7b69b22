"""Everything that the operator hears from Kubernetes, on one page.

kopf watches, sets our finalizer and takes it off again when `delete` returns. What happens to an object is
decided by the engine; no handler decides anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import kopf

from .constants import GROUP, VERSION
from .engine.finalizing import StoppingError
from .models.kinds import KindInfo, kinds
from .models.snapshot import Snapshot

RETRY_DELAY = 10.0
"""Seconds until kopf asks again after the process was stopped in the middle of a deletion."""


class Listener(Protocol):
    """What the handlers need of the engine."""

    def observe(self, event_type: str | None, snapshot: Snapshot) -> None:
        """Take note of an object as it stands now."""

    async def finalize(self, snapshot: Snapshot) -> None:
        """Return when nothing of the object is left in OpenSearch."""

    def label(self, namespace: str, labels: Mapping[str, str] | None) -> None:
        """Take note of the labels of a namespace, None when it is gone."""


def build_registry(
    listener: Listener,
    *,
    login: Callable[..., Awaitable[kopf.AiohttpSession | None]],
    cluster_wide: bool = True,
) -> kopf.OperatorRegistry:
    """Return kopf's registry with the handlers of all kinds; `login` opens the session for the API server.

    Namespaces, and the kinds that are in none, are watched `cluster_wide` alone.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def log_in(**kwargs: Any) -> kopf.AiohttpSession | None:
        return await login(**kwargs)

    for kind in kinds(cluster_wide=cluster_wide):
        _register(registry, kind, listener)
    if cluster_wide:
        _register_labels(registry, listener)
    return registry


def _register_labels(registry: kopf.OperatorRegistry, listener: Listener) -> None:
    @kopf.on.event("", "v1", "namespaces", registry=registry, id="label")
    async def label(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        metadata = body["metadata"]
        listener.label(metadata["name"], None if type == "DELETED" else dict(metadata.get("labels") or {}))


def _register(registry: kopf.OperatorRegistry, kind: KindInfo, listener: Listener) -> None:
    @kopf.on.event(GROUP, VERSION, kind.plural, registry=registry, id="observe")
    async def observe(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        listener.observe(type, Snapshot.parse(kind.kind, body))

    # No filter, no retries, no timeout: each of them would let kopf release the object while its remote
    # object still exists. For the same reason nothing but TemporaryError may leave this function.
    @kopf.on.delete(GROUP, VERSION, kind.plural, registry=registry, id="finalize")
    async def finalize(body: kopf.Body, **_: Any) -> None:
        try:
            await listener.finalize(Snapshot.parse(kind.kind, body))
        except StoppingError:
            raise kopf.TemporaryError("the operator is stopping", delay=RETRY_DELAY) from None
        except Exception as error:  # noqa: BLE001 - any other exception would be retried, or release the object
            raise kopf.TemporaryError(f"the deletion broke off: {type(error).__name__}") from None
