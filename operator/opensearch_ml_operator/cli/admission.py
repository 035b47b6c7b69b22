"""Whether an object may do what it wants through a connection of the whole cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..models.cluster_connection import AllowedNamespaces
from ..models.model import RemoteModelSpec
from ..reconcilers.model.references import raw_ids
from ..reconcilers.references import CLUSTER_CONNECTION, MODEL
from .findings import Finding
from .manifests import Manifest


def judge(manifest: Manifest, connection: Manifest | None) -> Iterator[Finding]:
    """Return what the operator would refuse; nothing that depends on labels, which no file tells."""
    if connection is None or connection.kind != CLUSTER_CONNECTION:
        return
    rule = AllowedNamespaces.model_validate(connection.spec.get("allowedNamespaces") or {})
    place = ("spec", "connectionRef" if "connectionRef" in manifest.spec else "connectorRef")
    if manifest.namespace and rule.selector is None and not rule.allow(manifest.namespace, None):
        words = f"{connection.kind} {connection.name} does not let namespace {manifest.namespace} in"
        yield Finding.of(manifest, place, f"{words}: see its spec.allowedNamespaces")
    if connection.spec.get("allowExternalIDs") is not True:
        for field in _foreign(manifest):
            words = (
                f"{connection.kind} {connection.name} lets nobody name objects of OpenSearch by id or name"
            )
            yield Finding.of(manifest, ("spec", field), f"{words}: that takes its spec.allowExternalIDs")


def _foreign(manifest: Manifest) -> Iterator[str]:
    if "adopt" in manifest.spec:
        yield "adopt"
    if manifest.kind == MODEL:
        yield from raw_ids(RemoteModelSpec.model_validate(manifest.spec))
