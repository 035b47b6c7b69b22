"""The resources that the fake serves, and what a request asks of which of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from opensearch_ml_operator.constants import GROUP, VERSION
from opensearch_ml_operator.models.common import StatusBase
from opensearch_ml_operator.models.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the discovery; with a status model it has the subresource, and the model's checks."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: type[StatusBase] | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES: Mapping[str, Resource] = {
    resource.plural: resource
    for resource in (
        Resource("", "v1", "namespaces", "Namespace", namespaced=False),
        Resource("", "v1", "secrets", "Secret"),
        Resource("", "v1", "serviceaccounts", "ServiceAccount"),
        Resource("", "v1", "configmaps", "ConfigMap"),
        Resource("", "v1", "events", "Event"),
        Resource("", "v1", "pods", "Pod"),
        Resource("coordination.k8s.io", "v1", "leases", "Lease"),
        Resource("apps", "v1", "deployments", "Deployment"),
        Resource(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            namespaced=False,
        ),
        *(
            Resource(GROUP, VERSION, info.plural, info.kind, info.scope == "Namespaced", status=info.status)
            for info in KINDS
        ),
    )
}


class Counted(NamedTuple):
    """What requests are counted by; the verbs are those of RBAC."""

    verb: str
    resource: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a resource."""

    counted: Counted
    resource: Resource
    namespace: str
    name: str
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = ""


def parse_call(method: str, path: str, query: Mapping[str, str], accept: str) -> Call | None:
    """Read a request; None when its path names no resource of the fake."""
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":  # namespaces/NAME alone is an object itself
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", "", ""][:3]
    resource = RESOURCES.get(plural)
    if resource is None or (resource.group, resource.version) != (group, version):
        return None
    verb = _verb(method, named=bool(name), watch=query.get("watch") in {"true", "1"})
    return Call(Counted(verb, plural, subresource), resource, namespace, name, query, accept)


def _verb(method: str, *, named: bool, watch: bool) -> str:
    if method == "GET":
        return "get" if named else "watch" if watch else "list"
    if method == "DELETE" and not named:
        return "deletecollection"
    return {"POST": "create", "PUT": "update"}.get(method, method.lower())


def groups(resources: Iterable[Resource]) -> dict[str, str]:
    """Return the API groups and their versions, without the core one."""
    return {resource.group: resource.version for resource in resources if resource.group}
