"""What the kinds share: model base, references, conditions, the create protocol's record, common fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from .fields import (
    DataKey,
    Duration,
    ListMap,
    ListSet,
    ObjectName,
    RemoteID,
    RemoteName,
    ShortText,
    Timestamp,
)
from .rules import Rule, exactly_one, immutable, lasts, seconds

__all__ = [
    "Access",
    "Adopt",
    "Condition",
    "ConnectionRef",
    "Duration",
    "HoldableSpec",
    "HoldableStatus",
    "LifecycleSpec",
    "LocalRef",
    "ManagedSpec",
    "ManagedStatus",
    "Model",
    "Pending",
    "PendingChange",
    "SecretKeyRef",
    "SecretRef",
    "StatusBase",
    "seconds",
]


def _add_rules(schema: dict[str, Any], model: type[BaseModel]) -> None:
    rules: tuple[Rule, ...] = getattr(model, "rules", ())
    if rules:
        schema["x-kubernetes-validations"] = [
            {"rule": rule.cel, "message": rule.message, "fieldPath": f".{rule.field}"} for rule in rules
        ]


class Model(BaseModel):
    """Base of everything that is stored in Kubernetes.

    Types are strict because the API server does not coerce either; unknown fields are ignored because a newer
    version may have stored them.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        json_schema_extra=_add_rules,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the fields of this object."""

    def to_body(self) -> dict[str, Any]:
        """Return the object as JSON with its Kubernetes field names, without the fields that are not set."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        if self.rules:
            body = self.to_body()
            for rule in self.rules:
                if rule.holds is not None and not rule.holds(body):
                    raise ValueError(rule.message)
        return self


class ConnectionRef(Model):
    """The connection through which the object is managed."""

    kind: Literal["OpenSearchConnection", "ClusterOpenSearchConnection"] = "OpenSearchConnection"
    """Kind of the connection: one of the same namespace, or one of the whole cluster."""
    name: ObjectName
    """Name of the connection."""


class LocalRef(Model):
    """A reference to an object in the same namespace."""

    name: ObjectName
    """Name of the object, in the same namespace."""


class SecretRef(Model):
    """A reference to a Secret in the same namespace."""

    name: ObjectName
    """Name of the Secret, in the same namespace."""


class SecretKeyRef(Model):
    """A reference to one key of a Secret in the same namespace."""

    name: ObjectName
    """Name of the Secret, in the same namespace."""
    key: DataKey
    """Key in the Secret's data."""


class Access(Model):
    """Who may use the object. Needs the Security plugin with access control switched on in OpenSearch."""

    mode: Literal["public", "restricted", "private"]
    """public: everybody; restricted: users who share a backend role; private: the operator's user alone."""
    backend_roles: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=64), ListSet()
    ] = Field(default_factory=list)
    """Backend roles whose users may use the object; only with mode restricted."""
    add_all_backend_roles: bool = False
    """Use all backend roles of the operator's user; only with mode restricted and without backendRoles."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                'self.mode == "restricted" || ((!has(self.backendRoles) || size(self.backendRoles) == 0)'
                " && !self.addAllBackendRoles)"
            ),
            message="backendRoles and addAllBackendRoles are only for mode restricted",
            field="mode",
            holds=lambda body: (
                body["mode"] == "restricted" or (not body["backendRoles"] and not body["addAllBackendRoles"])
            ),
        ),
        Rule(
            cel=(
                'self.mode != "restricted" || (has(self.backendRoles) && size(self.backendRoles) > 0)'
                " != self.addAllBackendRoles"
            ),
            message="mode restricted needs either backendRoles or addAllBackendRoles",
            field="mode",
            holds=lambda body: (
                body["mode"] != "restricted" or bool(body["backendRoles"]) != body["addAllBackendRoles"]
            ),
        ),
    )


class Condition(Model):
    """One observation about the object, in the form of Kubernetes' own conditions (`metav1.Condition`)."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What is observed."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ]
    """Why, as one word from the list in docs/reasons.md."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in a sentence."""
    observed_generation: Annotated[int, Field(ge=0)]
    """metadata.generation of the spec that the observation is about."""
    last_transition_time: Timestamp
    """When `status` last changed."""


class Pending(Model):
    """An effect on OpenSearch that was announced and whose outcome is not recorded yet."""

    role: Literal["Group", "Connector", "Model", "Deploy"]
    """What is being made."""
    revision: Annotated[int, Field(ge=0)]
    """Revision of the object that is being made; part of its marker in OpenSearch."""
    attempt: Annotated[int, Field(ge=0)]
    """How often it was tried."""
    hash: ShortText | None = None
    """Hash of the request that it announces; no value and no hash of a credential."""
    holder: ShortText
    """The operator process that announced it."""
    started_at: Timestamp
    """When it was announced."""


class HoldableSpec(Model):
    """What keeps the operator from changing anything in OpenSearch."""

    management_policy: Literal["Manage", "Observe"] = "Manage"
    """Observe: never write to OpenSearch, and show in status.pendingChanges what differs."""
    suspend: bool = False
    """Stop all changes for now; looking, and the deletion of this object, go on."""


class Adopt(Model):
    """An object that is in OpenSearch already, to be taken over as it is."""

    id: RemoteID | None = None
    """Its id."""
    name: RemoteName | None = None
    """Its name, letter for letter; no other object of its kind may have the same."""
    if_missing: Literal["Create", "Fail"] = "Fail"
    """What to do when there is none: create one, or say so and look again."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("id", "name"),)


class LifecycleSpec(HoldableSpec):
    """How the remote object is kept and ended; every managed kind has it."""

    deletion_policy: Literal["Delete", "Retain"] | None = None
    """What deleting this object does in OpenSearch: Delete removes the remote object, Retain leaves it.
    Default: Delete; Retain for what was adopted."""
    adopt: Adopt | None = None
    """An object that is in OpenSearch already: it becomes this resource's own, and is never replaced."""
    resync_interval: Duration = "10m"
    """How often the remote object is compared with this one; 0s for never, otherwise at least 30s."""

    rules: ClassVar[tuple[Rule, ...]] = (lasts("resyncInterval", "30s", or_zero=True),)


class ManagedSpec(LifecycleSpec):
    """What every kind that names its connection has."""

    connection_ref: ConnectionRef
    """The connection through which the object is managed. Cannot be changed."""

    rules: ClassVar[tuple[Rule, ...]] = (*LifecycleSpec.rules, immutable("connectionRef"))


class PendingChange(Model):
    """One field of the remote object that is not as the spec says."""

    path: ShortText
    """The field, by its name in OpenSearch."""
    from_: Annotated[ShortText | None, Field(alias="from")] = None
    """What stands there; absent when nothing does. Secrets are masked."""
    to: ShortText | None = None
    """What it would be changed to; absent when it would be taken away."""


class StatusBase(Model):
    """What every status has."""

    observed_generation: int = -1
    """metadata.generation that the conditions are about; -1 before the operator has seen the object."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = Field(
        default_factory=list
    )
    """Observations; `Ready` sums them up."""
    last_handled_reconcile_at: ShortText | None = None
    """The value of the annotation opensearchml.io/reconcile-requested-at that was last acted on."""
    last_sync_time: Timestamp | None = None
    """When the remote side was last found as wanted, or made so."""


class HoldableStatus(StatusBase):
    """What the status of every kind has that changes something in OpenSearch."""

    pending_changes: Annotated[list[PendingChange], Field(max_length=20)] | None = None
    """What differs from the spec while it may not, or cannot, be changed; the first 20 fields."""


class ManagedStatus(HoldableStatus):
    """What every managed kind's status has."""

    id: RemoteID | None = None
    """Id of the object in OpenSearch."""
    origin: Literal["Created", "Adopted"] | None = None
    """Whether the operator made the object or found it."""
    pending: Pending | None = None
    """An announced effect whose outcome is not recorded yet."""
