"""The start-up check: our CRDs are there, served, and of the same release as we are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..constants import GROUP, SCHEMA_HASH_ANNOTATION
from .client import KubeClient
from .targets import CRDS, DISCOVERY, Target


async def missing_or_different(client: KubeClient, hashes: Mapping[str, str]) -> list[str]:
    """Return a sentence with the remedy for each CRD that does not fit; empty when all do.

    `hashes` has the schema's hash for each plural. Raises KubernetesUnavailableError,
    KubernetesForbiddenError: then nothing is known.
    """
    problems = []
    for plural, wanted in hashes.items():
        body = await client.read(Target(CRDS, name=f"{plural}.{GROUP}"))
        if problem := _problem(body, wanted):
            problems.append(f"CRD {plural}.{GROUP} {problem}")
    return problems or await undiscovered(client, hashes)


async def undiscovered(client: KubeClient, plurals: Iterable[str]) -> list[str]:
    """Return a sentence for each kind that discovery does not know; every account may ask that.

    Raises KubernetesUnavailableError, also when none of our kinds is served at all.
    """
    discovery = await client.read(Target(DISCOVERY)) or {}
    served = {resource["name"] for resource in discovery.get("resources") or ()}
    return [
        f"CRD {plural}.{GROUP} is not in the API server's discovery yet"
        for plural in plurals
        if plural not in served
    ]


def _problem(body: Mapping[str, Any] | None, wanted: str) -> str | None:
    apply = "kubectl apply --server-side -f crds/"
    if body is None:
        return f"is not installed; install it with: {apply}"
    if body["metadata"].get("deletionTimestamp"):
        return (
            "is being deleted, and all its objects with it; when it is gone, install it again with: " + apply
        )
    annotations = body["metadata"].get("annotations") or {}
    found = annotations.get(SCHEMA_HASH_ANNOTATION, "none")
    if found != wanted:
        return (
            f"is of another release of the operator (schema {found}, this one needs {wanted}); "
            f"install the CRDs of this release with: {apply}"
        )
    conditions = (body.get("status") or {}).get("conditions") or ()
    if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        return f"is not served; see why with: kubectl describe crd {body['metadata']['name']}"
    return None
