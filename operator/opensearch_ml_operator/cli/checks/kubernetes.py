"""The operator's side of Kubernetes: its CRDs, its Deployment, its Lease."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from ... import __version__
from ...constants import NAME
from ...crdgen import schema_hash
from ...errors import KubernetesForbiddenError, KubernetesUnavailableError
from ...kube.client import KubeClient
from ...kube.crds import missing_or_different, undiscovered
from ...kube.namespaces import list_labels
from ...kube.targets import Resource, Target
from ...models.cluster_connection import AllowedNamespaces
from ...models.kinds import KINDS
from ...models.snapshot import Snapshot
from .check import Check, Fix, failed, ok, skipped, warning

DEPLOYMENTS: Final = Resource("apps", "v1", "deployments")
LABEL: Final = f"app.kubernetes.io/name={NAME}"
_INSTALL: Final = Fix(
    f"helm upgrade --install {NAME} deploy/chart --namespace opensearch-ml --create-namespace --wait"
)


async def crds(kube: KubeClient) -> Check:
    """Whether the kinds are there, and those of this release. Raises KubernetesUnavailableError."""
    hashes = {info.plural: schema_hash(info.kind) for info in KINDS}
    try:
        problems = await missing_or_different(kube, hashes)
        known = f"{len(KINDS)} kinds, all of this release"
    except KubernetesForbiddenError:
        try:
            problems = await undiscovered(kube, hashes)
        except KubernetesUnavailableError:  # none of our kinds is served
            problems = ["none of our CRDs is installed"]
        known = (
            f"{len(KINDS)} kinds are served; of which release cannot be seen without the right to read CRDs"
        )
    if problems:
        apply = Fix("kubectl apply --server-side -f crds/")
        return failed("CRDs", "; ".join(problems), apply)
    return ok("CRDs", known)


async def operator(kube: KubeClient) -> Check:
    """Whether an operator runs, and which. Raises KubernetesUnavailableError."""
    try:
        found = await kube.request("GET", Target(DEPLOYMENTS), query={"labelSelector": LABEL})
    except KubernetesForbiddenError:
        return skipped("operator", "you may not list Deployments, so it is not known whether it runs")
    deployments = found["items"]
    if not deployments:
        return failed("operator", f"no Deployment with the label {LABEL}", _INSTALL)
    if problems := [problem for each in deployments for problem in _problems(each)]:
        where = deployments[0]["metadata"]["namespace"]
        logs = Fix(f"kubectl -n {where} logs deployment/{deployments[0]['metadata']['name']} --tail=50")
        return failed("operator", "; ".join(problems), logs)
    if other := [image for each in deployments for image in _images(each) if not _ours(image)]:
        return warning("operator", f"it runs {', '.join(other)}, this command is of release {__version__}")
    return ok("operator", ", ".join(f"{_name(each)} runs {', '.join(_images(each))}" for each in deployments))


async def namespaces(kube: KubeClient, connection: Snapshot, users: Sequence[Snapshot]) -> Check:
    """Whether a connection of the whole cluster lets the namespaces in whose objects name it.

    Raises KubernetesUnavailableError.
    """
    name = "namespaces"
    asking = sorted({each.key.namespace for each in users})
    try:
        rule = AllowedNamespaces.model_validate(connection.spec.get("allowedNamespaces") or {})
    except ValidationError:
        return failed(name, "spec.allowedNamespaces cannot be read, so nobody is let in")
    if rule.names is None and rule.selector is None:
        return failed(name, "lets nobody in: spec.allowedNamespaces is empty", _let_in(connection, asking))
    try:
        labels = await list_labels(kube) if rule.selector is not None else {}
    except KubernetesForbiddenError as error:
        return skipped(name, f"{error}: whether the selector takes a namespace is not known")
    out = [each for each in asking if not rule.allow(each, labels.get(each))]
    if out:
        fix = _let_in(connection, [*(rule.names or ()), *out])
        return failed(name, f"objects of {', '.join(out)} name it, and are not let in", fix)
    return ok(name, f"lets in {', '.join(asking)}" if asking else "nobody uses it here")


def _let_in(connection: Snapshot, names: Sequence[str]) -> Fix:
    patch = json.dumps({"spec": {"allowedNamespaces": {"names": list(names) or ["NAMESPACE"]}}})
    return Fix(f"kubectl patch cosconn {connection.key.name} --type merge -p '{patch}'")


def _problems(deployment: dict[str, Any]) -> Iterator[str]:
    wanted = deployment.get("spec", {}).get("replicas", 1)
    available = deployment.get("status", {}).get("availableReplicas", 0)
    if wanted == 0:
        yield f"{_name(deployment)} is scaled to 0"
    elif available < wanted:
        yield f"{_name(deployment)}: {available} of {wanted} pods are available"


def _images(deployment: dict[str, Any]) -> list[str]:
    return [str(each.get("image")) for each in deployment["spec"]["template"]["spec"]["containers"]]


def _ours(image: str) -> bool:
    return image.partition("@")[0].rpartition(":")[2] == __version__


def _name(deployment: dict[str, Any]) -> str:
    return f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
