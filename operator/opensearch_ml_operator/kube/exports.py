"""ConfigMaps and Secrets that the operator writes for its objects: created, patched and deleted by name."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from ..constants import API_VERSION, NAME
from ..models.snapshot import Snapshot
from ..reconcilers.ports import Export, Owner
from .client import MERGE_PATCH, KubeClient
from .targets import CONFIG_MAPS, SECRETS, Target

_RESOURCES: Final = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}
_LABELS: Final = {"app.kubernetes.io/managed-by": NAME}


class KubeExports:
    """Implements `ExportStore`.

    The owner is a controller without `blockOwnerDeletion`, for which we would need a right on finalizers.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def read(self, kind: str, namespace: str, name: str) -> Export | None:
        """Read one; None when it does not exist.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        body = await self._client.read(Target(_RESOURCES[kind], namespace, name))
        if body is None:
            return None
        metadata = body["metadata"]
        owners = (Owner(one["kind"], one["name"], one["uid"]) for one in metadata.get("ownerReferences", ()))
        data = dict(body.get("data") or {})
        if kind == "Secret":
            data = {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
        return Export(metadata["uid"], metadata["resourceVersion"], tuple(owners), data)

    async def create(self, kind: str, name: str, *, owner: Snapshot, data: Mapping[str, str]) -> None:
        """Create one for its owner. Raises StatusConflictError when there is one by now."""
        reference = {
            "apiVersion": API_VERSION,
            "kind": owner.key.kind,
            "name": owner.key.name,
            "uid": owner.uid,
            "controller": True,
        }
        body = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name, "labels": _LABELS, "ownerReferences": [reference]},
            "data": _encoded(kind, data),
        }
        await self._client.request("POST", Target(_RESOURCES[kind], owner.key.namespace), body)

    async def patch(
        self, kind: str, namespace: str, name: str, *, before: Export, data: Mapping[str, str | None]
    ) -> None:
        """Set keys, or remove those that are None; StatusConflictError when it is not as it was read."""
        body = {
            "metadata": {"resourceVersion": before.resource_version},
            "data": _encoded(kind, data),
        }
        target = Target(_RESOURCES[kind], namespace, name)
        await self._client.request("PATCH", target, body, content_type=MERGE_PATCH)

    async def delete(self, kind: str, namespace: str, name: str, *, before: Export) -> None:
        """Delete it; StatusConflictError when it is not as it was read."""
        conditions = {"uid": before.uid, "resourceVersion": before.resource_version}
        target = Target(_RESOURCES[kind], namespace, name)
        await self._client.request("DELETE", target, {"preconditions": conditions})


def _encoded(kind: str, data: Mapping[str, str | None]) -> dict[str, Any]:
    if kind == "ConfigMap":
        return dict(data)
    return {
        key: None if text is None else base64.b64encode(text.encode()).decode() for key, text in data.items()
    }
