"""Reading our objects and writing their status by compare-and-set."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ..errors import StatusConflictError
from ..models.snapshot import ObjectKey, Snapshot
from .client import MERGE_PATCH, KubeClient
from .targets import Target, ours


class KubeStatusStore:
    """Implements `StatusStore`; `plurals` names the resource of each kind."""

    def __init__(self, client: KubeClient, plurals: Mapping[str, str]) -> None:
        self._client = client
        self._plurals = plurals

    async def read(self, key: ObjectKey) -> Snapshot | None:
        """Read the object live; None when it does not exist.

        Raises KubernetesUnavailableError (nothing is known then), KubernetesForbiddenError.
        """
        body = await self._client.read(self._target(key))
        return None if body is None else Snapshot.parse(key.kind, body)

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        """Read all objects of a kind in a namespace live; in all of them when it is empty.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        return tuple([snapshot async for snapshot in self.each(kind, namespace)])

    async def each(self, kind: str, namespace: str) -> AsyncGenerator[Snapshot]:
        """Read as `read_all` does, and let go of what was read."""
        target = Target(ours(self._plurals[kind]), namespace or None)
        async for body in self._client.each(target):
            yield Snapshot.parse(kind, body)

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        """Replace the status if the object is still the one of the snapshot; no request if it is equal.

        The version is the only fence: the API server takes a patch of the status with a wrong uid, but the
        version of a deleted namesake never fits. Returns the object as the API server answered it.

        Raises StatusConflictError (somebody was faster, also when what is written is equal),
        ObjectGoneError, KubernetesForbiddenError; OperatorError when the schema refuses the status, which
        is a bug of ours and no reason to try again soon. After KubernetesUnavailableError the effect is
        unknown, the write may be there: read again before the next decision.
        """
        changes = merge_patch(snapshot.status, status)
        if not changes:
            return snapshot
        if not snapshot.resource_version:
            raise StatusConflictError(f"{snapshot.key} has no resourceVersion to compare with")
        body = await self._client.request(
            "PATCH",
            self._target(snapshot.key, "status"),
            {"metadata": {"resourceVersion": snapshot.resource_version}, "status": changes},
            content_type=MERGE_PATCH,
        )
        return Snapshot.parse(snapshot.key.kind, body)

    def _target(self, key: ObjectKey, subresource: str | None = None) -> Target:
        return Target.of(ours(self._plurals[key.kind]), key, subresource)


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that makes `old` equal to `new`; empty when they are equal.

    A None in `new` means "absent", as it does in the patch. Lists are replaced whole.
    """
    patch: dict[str, Any] = {key: None for key in old if new.get(key) is None}
    for key, value in new.items():
        before = old.get(key)
        if value is None or value == before:
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[key] = inner
        else:
            patch[key] = value
    return patch
