"""RemoteModel: registration and deployment of one remote model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .common import ConnectionRef, LifecycleSpec, LocalRef, ManagedStatus, Model
from .connector import InternalConnector
from .export import ExportID
from .fields import Description, Duration, FreeForm, LongText, RemoteID, RemoteName, ShortText, Timestamp
from .probe import Probe, ProbeStatus
from .rules import Rule, at_most_one, exactly_one, immutable, lasts


class DeploySetting(Model):
    """What OpenSearch may do by itself with the model's deployment."""

    auto_deploy_enabled: bool = True
    """Deploy the model by itself when it is called while it is not deployed."""
    ttl_minutes: Annotated[int, Field(ge=-1, le=525600)] = -1
    """Undeploy the model by itself after so many minutes without a call; -1 for never."""


class RateLimiter(Model):
    """How often the model may be called; OpenSearch divides the limit among its nodes."""

    limit: Annotated[int, Field(ge=1, le=2147483647)]
    """Calls per unit."""
    unit: Literal["NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"]
    """Unit of time."""


class Interface(Model):
    """JSON Schemas that OpenSearch checks calls against."""

    input: LongText | None = None
    """JSON Schema of the input, as text."""
    output: LongText | None = None
    """JSON Schema of the output, as text."""


class Healing(Model):
    """Redeployment of a model that should be deployed and is not."""

    enabled: bool = True
    """Whether the operator redeploys by itself."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts within one window; after them a person must act."""
    window: Duration = "1h"
    """Span in which attempts are counted; between 1m and 24h."""
    stuck_after: Duration = "10m"
    """How long a deployment may run before it counts as stuck; between 10s and 24h."""

    rules: ClassVar[tuple[Rule, ...]] = (lasts("window", "1m", "24h"), lasts("stuckAfter", "10s", "24h"))


class RemoteModelSpec(LifecycleSpec):
    """The model as it should be."""

    connection_ref: ConnectionRef | None = None
    """The connection through which the model is managed; default: the connector's. Cannot be changed."""
    name: RemoteName | None = None
    """Name of the model in OpenSearch; default: the name of this object."""
    description: Description | None = None
    """What the model is for. The operator appends its own mark."""
    version: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Version label; OpenSearch counts versions by itself."""
    connector_ref: LocalRef | None = None
    """The MLConnector that the model calls."""
    connector_id: Annotated[RemoteID | None, Field(alias="connectorID")] = None
    """Id of a connector that is not managed here."""
    connector: InternalConnector | None = None
    """A connector of the model's own, part of it in OpenSearch. Cannot be added later, nor taken away."""
    model_group_ref: LocalRef | None = None
    """The MLModelGroup that the model belongs to; without this and modelGroupID the operator makes one."""
    model_group_id: Annotated[RemoteID | None, Field(alias="modelGroupID")] = None
    """Id of a model group that is not managed here."""
    deploy: bool = True
    """Whether the model is deployed."""
    deploy_setting: DeploySetting = DeploySetting()
    """What OpenSearch may do by itself with the deployment."""
    enabled: bool = True
    """Whether the model may be called."""
    rate_limiter: RateLimiter | None = None
    """How often the model may be called."""
    guardrails: FreeForm | None = None
    """Guardrails in OpenSearch's own form (`type`, `input_guardrail`, `output_guardrail`)."""
    interface: Interface | None = None
    """JSON Schemas that OpenSearch checks calls against."""
    healing: Healing = Healing()
    """Redeployment of a model that should be deployed and is not."""
    extra: FreeForm = Field(default_factory=dict)
    """Further fields of OpenSearch's own request, sent as they are; no secret, no field that has a name."""
    export_id: Annotated[ExportID | None, Field(alias="exportID")] = None
    """A ConfigMap or Secret that holds the model's id, from when the model is as the spec says."""
    probe: Probe | None = None
    """A prediction that shows whether the model answers; without it the operator makes none."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *LifecycleSpec.rules,
        immutable("connectionRef"),
        exactly_one("connectorRef", "connectorID", "connector"),
        Rule(
            cel="has(self.connector) == has(oldSelf.connector)",
            message="OpenSearch cannot move a model to or from a connector of its own; create another model",
            field="connector",
            holds=None,
        ),
        at_most_one("modelGroupRef", "modelGroupID"),
        Rule(
            cel="has(self.connectionRef) || has(self.connectorRef)",
            message="connectionRef may be left out only with connectorRef",
            field="connectionRef",
            holds=lambda body: "connectionRef" in body or "connectorRef" in body,
        ),
    )


class Workers(Model):
    """Nodes that hold the model."""

    planned: Annotated[int, Field(ge=0)] = 0
    """Nodes that should hold it."""
    current: Annotated[int, Field(ge=0)] = 0
    """Nodes that hold it."""


class Task(Model):
    """One task that the operator started in OpenSearch."""

    type: Literal["Register", "Deploy", "Undeploy"]
    """What the task does."""
    id: RemoteID
    """Id of the task in OpenSearch."""
    state: ShortText | None = None
    """The server's word for the state of the task."""
    started_at: Timestamp | None = None
    """When the operator started it."""
    finished_at: Timestamp | None = None
    """When the operator saw its end."""
    error: Description | None = None
    """The server's words about a failure, shortened."""


class HealingStatus(Model):
    """Redeployments in the current window."""

    attempts: Annotated[int, Field(ge=0)] = 0
    """Attempts in the current window."""
    window_start: Timestamp | None = None
    """When the window began."""
    next_attempt_time: Timestamp | None = None
    """When the next attempt is due."""


class RemoteModelStatus(ManagedStatus):
    """The model as it is."""

    connection: ShortText | None = None
    """Name of the connection through which it was registered, which its deletion will need."""
    connection_kind: ShortText | None = None
    """Kind of that connection, when it is not an OpenSearchConnection."""
    connector_id: Annotated[RemoteID | None, Field(alias="connectorID")] = None
    """Id of the connector that the model calls."""
    model_group_id: Annotated[RemoteID | None, Field(alias="modelGroupID")] = None
    """Id of the group that the model belongs to."""
    owned_group_id: Annotated[RemoteID | None, Field(alias="ownedGroupID")] = None
    """Id of the group that the operator made for this model alone; it goes with the model."""
    model_version: ShortText | None = None
    """Version that OpenSearch counted."""
    state: ShortText | None = None
    """The server's word for the state of the model."""
    workers: Workers | None = None
    """Nodes that hold the model."""
    last_deployed_at: Timestamp | None = None
    """When OpenSearch last deployed the model, which it also does by itself when a node joins."""
    connector_changed_at: Timestamp | None = None
    """When the connector of the registered model was last changed; nodes that join later get it again."""
    tasks: Annotated[list[Task], Field(max_length=5)] = Field(default_factory=list)
    """The last five tasks."""
    healing: HealingStatus | None = None
    """Redeployments in the current window."""
    probe: ProbeStatus | None = None
    """The last probe."""
    export: ExportID | None = None
    """Where the model's id was written, or is about to be."""
    spec_hash: ShortText | None = None
    """Hash of the request that was last applied."""
    extra_fields: Annotated[list[ShortText], Field(max_length=256)] | None = None
    """Names of the fields that spec.extra and spec.interface have set, and that OpenSearch may still have."""
