"""Which objects exist: the remedy for watches that missed a deletion.

After a restart of the API server a watch starts over with a new list, and nobody tells of the objects that
were deleted meanwhile: they would live on in the operator's memory as ghosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..models.snapshot import ObjectKey
from .client import KubeClient
from .targets import METADATA_LIST, Target, ours


async def count(client: KubeClient, plural: str, namespaces: Sequence[str] = ()) -> int | None:
    """Count the objects of a kind without reading them; None when the API server does not say.

    It is told as an estimate (`remainingItemCount`, ListMeta): what is rarely wrong, and never relied upon
    for long. Raises the errors of `list_keys`.
    """
    found = 0
    for namespace in namespaces or (None,):
        target = Target(ours(plural), namespace)
        page = await client.request("GET", target, accept=METADATA_LIST, query={"limit": "1"})
        more = page["metadata"].get("remainingItemCount", 0)
        if page["metadata"].get("continue") and not more:
            return None
        found += len(page["items"] or ()) + more
    return found


async def list_keys(
    client: KubeClient, kind: str, plural: str, namespaces: Sequence[str] = ()
) -> set[tuple[ObjectKey, str]]:
    """Return key and uid of every object of a kind; of all namespaces when none are given.

    To find ghosts, take what is remembered *before* this call and look for it in the answer: what was
    created while the pages came in is in neither. Raises KubernetesUnavailableError (also when the list
    took so long that its pages expired), KubernetesForbiddenError.
    """
    found: set[tuple[ObjectKey, str]] = set()
    for namespace in namespaces or (None,):
        async for item in client.each(Target(ours(plural), namespace), accept=METADATA_LIST):
            found.add(_identity(kind, item["metadata"]))
    return found


def _identity(kind: str, metadata: dict[str, Any]) -> tuple[ObjectKey, str]:
    return ObjectKey(kind, metadata.get("namespace") or "", metadata["name"]), metadata["uid"]
