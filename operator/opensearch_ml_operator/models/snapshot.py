"""What the operator keeps of a Kubernetes object: identity, versions, spec and status, nothing else.

managedFields and foreign annotations are dropped: at 10,000 objects they are most of the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..constants import DELETION_POLICY_ANNOTATION, FINALIZER, GROUP, RECONCILE_ANNOTATION
from .document import Document


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Names one object of one of our kinds; `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one object. `spec` and `status` are JSON as the API server sent it: never change it."""

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    created: str
    deleting: bool
    finalizer: bool
    """Whether our finalizer stands in the object; no external effect before it does."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only the annotations of our own group."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    deleted: str = ""
    """When the deletion was asked for; empty while it was not."""

    @classmethod
    def parse(cls, kind: str, body: Mapping[str, Any]) -> Self:
        """Read an object as the API server or kopf delivers it."""
        metadata = body["metadata"]
        annotations = metadata.get("annotations") or {}
        return cls(
            key=ObjectKey(kind, metadata.get("namespace") or "", metadata["name"]),
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
            generation=metadata.get("generation", 0),
            created=metadata.get("creationTimestamp", ""),
            deleting=metadata.get("deletionTimestamp") is not None,
            finalizer=FINALIZER in (metadata.get("finalizers") or ()),
            annotations={k: v for k, v in annotations.items() if k.startswith(f"{GROUP}/")},
            spec=Document(body.get("spec") or {}),
            status=Document(body.get("status") or {}),
            deleted=metadata.get("deletionTimestamp") or "",
        )

    @property
    def requested_at(self) -> str | None:
        """The value of the reconcile-requested-at annotation."""
        return self.annotations.get(RECONCILE_ANNOTATION)

    @property
    def held(self) -> bool:
        """Whether nothing of it may be changed in OpenSearch: it is suspended, or only observed."""
        return self.spec.get("suspend") is True or self.spec.get("managementPolicy") == "Observe"

    @property
    def retain(self) -> bool:
        """Whether deletion leaves the remote object in place; the annotation overrides the field.

        Without either, what was adopted stays. Whatever they say, who only observes deletes nothing.
        """
        if self.spec.get("managementPolicy") == "Observe":
            return True
        policy = self.annotations.get(DELETION_POLICY_ANNOTATION) or self.spec.get("deletionPolicy")
        return policy == "Retain" or (not policy and self.status.get("origin") == "Adopted")

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return the condition of this type as it is stored, empty when it is not there; never raises."""
        return self.conditions.get(type_, {})

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """The conditions as they are stored, by type; never raises."""
        conditions = self.status.get("conditions")
        known = conditions if isinstance(conditions, list) else []
        return {str(each.get("type")): each for each in known if isinstance(each, dict)}

    def pack(self) -> None:
        """Take little memory until somebody works with the object."""
        for document in (self.spec, self.status):
            if isinstance(document, Document):
                document.pack()

    def plain(self) -> Snapshot:
        """Return a copy of which everything can be read at no further cost."""
        return replace(self, spec=dict(self.spec.items()), status=dict(self.status.items()))

    def unpack(self) -> None:
        """Be ready to be worked with."""
        for document in (self.spec, self.status):
            if isinstance(document, Document):
                document.unpack()

    def with_status(self, status: Mapping[str, Any], *, resource_version: str) -> Snapshot:
        """Return the object as it stands after a status write."""
        return replace(self, status=status, resource_version=resource_version)
