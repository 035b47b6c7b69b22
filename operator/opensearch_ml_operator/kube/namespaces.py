"""The namespaces and their labels, as they are when one asks."""

from __future__ import annotations

from .client import KubeClient
from .targets import METADATA_LIST, NAMESPACES, Target


async def list_labels(client: KubeClient) -> dict[str, dict[str, str]]:
    """Return the labels of each namespace. Raises KubernetesUnavailableError, KubernetesForbiddenError."""
    found: dict[str, dict[str, str]] = {}
    async for item in client.each(Target(NAMESPACES), accept=METADATA_LIST):
        found[item["metadata"]["name"]] = dict(item["metadata"].get("labels") or {})
    return found
