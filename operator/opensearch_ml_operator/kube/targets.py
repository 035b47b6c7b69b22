"""What a request to the API server is about, and its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ..constants import GROUP, VERSION
from ..errors import ObjectGoneError
from ..models.snapshot import ObjectKey


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API server, as in its discovery; `group` is empty for the core ones.

    Without a plural it is the discovery document of the group's version itself.
    """

    group: str
    version: str
    plural: str


METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Accept header of a listing without spec and status."""
CONFIG_MAPS: Final = Resource("", "v1", "configmaps")
EVENTS: Final = Resource("", "v1", "events")
NAMESPACES: Final = Resource("", "v1", "namespaces")
PODS: Final = Resource("", "v1", "pods")
SECRETS: Final = Resource("", "v1", "secrets")
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases")
DISCOVERY: Final = Resource(GROUP, VERSION, "")
CRDS: Final = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")


def ours(plural: str) -> Resource:
    """Return the resource of one of our own kinds."""
    return Resource(GROUP, VERSION, plural)


@dataclass(frozen=True, slots=True)
class Target:
    """One object, or a collection when it has no name; cluster-wide when it has no namespace."""

    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None

    @classmethod
    def of(cls, resource: Resource, key: ObjectKey, subresource: str | None = None) -> Target:
        """Return the target of one of our objects."""
        return cls(resource, key.namespace or None, key.name, subresource)

    @property
    def path(self) -> str:
        """The URL's path. Raises ObjectGoneError for a name that no object can have.

        Names come from what users write. An empty one would turn a GET into a list, and `..` would climb.
        """
        resource = self.resource
        parts = ["/apis", resource.group] if resource.group else ["/api"]
        parts.append(resource.version)
        if self.namespace is not None:
            parts += ["namespaces", _segment(self.namespace)]
        if resource.plural:
            parts.append(resource.plural)
        if self.name is not None:
            parts.append(_segment(self.name))
        if self.subresource is not None:
            parts.append(self.subresource)
        return "/".join(parts)

    def describe(self, method: str) -> str:
        """Say what a request does, in the words of a Role: verb, resource, object."""
        kind = self.resource.plural + (f"/{self.subresource}" if self.subresource else "")
        text = f"{self._verb(method)} {kind}"
        if self.resource.group:
            text += f" ({self.resource.group})"
        if self.name is not None:
            text += f" {self.name!r}"
        return text if self.namespace is None else f"{text} in namespace {self.namespace!r}"

    def _verb(self, method: str) -> str:
        if method == "GET":
            return "list" if self.name is None else "get"
        return {"POST": "create", "PUT": "update"}.get(method, method.lower())


def _segment(name: str) -> str:
    if name in {"", ".", ".."}:
        raise ObjectGoneError(f"no object can be called {name!r}")
    return quote(name, safe="")
