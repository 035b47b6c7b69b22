"""The namespaces and their labels, as they are when one asks."""

from __future__ import annotations

from typing import Final

from .client import KubeClient
from .targets import METADATA_LIST, NAMESPACES, Target

_PAGE: Final = 500


async def list_labels(client: KubeClient) -> dict[str, dict[str, str]]:
    """Return the labels of each namespace. Raises KubernetesUnavailableError, KubernetesForbiddenError."""
    found: dict[str, dict[str, str]] = {}
    query = {"limit": str(_PAGE)}
    while True:
        page = await client.request("GET", Target(NAMESPACES), accept=METADATA_LIST, query=query)
        for item in page["items"]:
            found[item["metadata"]["name"]] = dict(item["metadata"].get("labels") or {})
        following = page["metadata"].get("continue")
        if not following:
            return found
        query["continue"] = following
