"""MLModelGroup: one model group."""

from __future__ import annotations

from .common import Access, ManagedSpec, ManagedStatus
from .fields import Description, RemoteName, ShortText


class MLModelGroupSpec(ManagedSpec):
    """The model group as it should be."""

    name: RemoteName | None = None
    """Name of the group in OpenSearch, unique there; default: the name of this object."""
    description: Description | None = None
    """What the group is for. The operator appends its own mark."""
    access: Access | None = None
    """Who may use the group and its models; leave it out where access control is off."""


class MLModelGroupStatus(ManagedStatus):
    """The model group as it is."""

    spec_hash: ShortText | None = None
    """Hash of the request that was last applied."""
