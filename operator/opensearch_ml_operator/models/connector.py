"""MLConnector: one standalone connector, and for a short while two while its models are switched over."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .common import Access, ManagedSpec, ManagedStatus, Model, SecretKeyRef, SecretRef
from .fields import (
    Description,
    Duration,
    FreeForm,
    ListMap,
    LongText,
    RemoteID,
    RemoteName,
    ShortText,
    Timestamp,
    WholeSeconds,
)
from .rules import Rule, exactly_one, lasts

HeaderValue = Annotated[str, Field(max_length=8192)]  # 8 KB per header (`ConnectorUtils`)
ServerWord = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]


class Credential(Model):
    """One value that actions may use as `${credential.NAME}`."""

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
    """Name in `${credential.NAME}`."""
    secret_key_ref: SecretKeyRef | None = None
    """Secret key that holds the value."""
    value: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """The value itself, only for what is no secret, such as a role ARN."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("secretKeyRef", "value"),)


class CredentialsFrom(Model):
    """Many credentials at once."""

    secret_ref: SecretRef
    """Secret whose keys all become credentials of the same names."""


class Action(Model):
    """How the remote service is called."""

    type: ServerWord
    """What the action is for: `predict`, `batch_predict`, …; at most one action of each type."""
    method: Literal["GET", "POST", "PUT", "DELETE"]
    """HTTP method."""
    url: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^(https?://|\$\{parameters\.)")]
    """Address; `${parameters.NAME}` is replaced, in the host part by the operator before anything is sent."""
    headers: Annotated[dict[str, HeaderValue], Field(max_length=64)] = Field(default_factory=dict)
    """Request headers; `${credential.NAME}` and `${parameters.NAME}` are replaced."""
    request_body: LongText | None = None
    """Template of the request body."""
    pre_process_function: LongText | None = None
    """Name of a built-in function, or a Painless script, that turns the input into parameters."""
    post_process_function: LongText | None = None
    """Name of a built-in function, or a Painless script, that turns the answer into tensors."""


class ClientConfig(Model):
    """The HTTP client of OpenSearch towards the remote service. What is left out is the server's default."""

    max_connection: Annotated[int, Field(ge=1, le=10000)] | None = None
    """Connections at once, per node."""
    connection_timeout: WholeSeconds | None = None
    """How long to wait for a connection; whole seconds, between 1s and 1h."""
    read_timeout: WholeSeconds | None = None
    """How long to wait for an answer; whole seconds, between 1s and 1h."""
    retry_backoff: Duration | None = None
    """Pause before a retry; between 1ms and 1h."""
    max_retry_times: Annotated[int, Field(ge=-1, le=1000)] | None = None
    """How often a call is retried; -1 for no limit."""
    retry_backoff_policy: (
        Literal["constant", "exponential_equal_jitter", "exponential_full_jitter"] | None
    ) = None
    """How the pause grows."""
    skip_ssl_verification: Annotated[bool | None, Field(alias="skipSSLVerification")] = None
    """Do not verify the remote service's certificate. Needs OpenSearch 3.5."""

    rules: ClassVar[tuple[Rule, ...]] = (
        lasts("connectionTimeout", "1s", "1h"),
        lasts("readTimeout", "1s", "1h"),
        lasts("retryBackoff", "1ms", "1h"),
    )


class Update(Model):
    """How a change reaches the models that use the connector."""

    strategy: Literal["Swap", "Redeploy", "InPlaceOnly"] = "Swap"
    """Swap: make a new connector, switch the models over without a pause, delete the old one. Redeploy:
    undeploy the models, change this connector, deploy them. InPlaceOnly: change this connector or none:
    OpenSearch refuses that while a model that uses it is deployed."""
    keep_old_for: Duration = "10m"
    """How long the old connector is kept after the switch; at most 24h, 0s to delete it at once."""

    rules: ClassVar[tuple[Rule, ...]] = (lasts("keepOldFor", "0s", "24h"),)


class ConnectorFields(Model):
    """What a connector is, whether it stands alone or belongs to a model."""

    name: RemoteName | None = None
    """Name of the connector in OpenSearch; default: the name of this object."""
    description: Description | None = None
    """What the connector is for. The operator appends its own mark."""
    version: Annotated[str, Field(min_length=1, max_length=64)] = "1"
    """Version label; OpenSearch does not interpret it."""
    protocol: ServerWord = "http"
    """Protocol of the connector: `http`, `aws_sigv4`, …"""
    parameters: FreeForm = Field(default_factory=dict)
    """Values of `${parameters.NAME}`, any JSON; never put a secret here."""
    credentials: Annotated[list[Credential], Field(max_length=32), ListMap("name")] = Field(
        default_factory=list
    )
    """Values of `${credential.NAME}`, one by one."""
    credentials_from: CredentialsFrom | None = None
    """All keys of one Secret as values of `${credential.NAME}`."""
    actions: Annotated[list[Action], Field(min_length=1, max_length=16), ListMap("type")]
    """How the remote service is called."""
    client_config: ClientConfig | None = None
    """The HTTP client of OpenSearch towards the remote service."""
    extra: FreeForm = Field(default_factory=dict)
    """Further fields of OpenSearch's own request, sent as they are; no secret, no field that has a name."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.credentialsFrom) || !has(self.credentials) || size(self.credentials) == 0",
            message="at most one of credentials, credentialsFrom may be set",
            field="credentialsFrom",
            holds=lambda body: "credentialsFrom" not in body or not body["credentials"],
        ),
    )


class MLConnectorSpec(ConnectorFields, ManagedSpec):
    """The connector as it should be."""

    access: Access | None = None
    """Who may use the connector; leave it out where access control is off."""
    update: Update = Update()
    """How a change reaches the models that use the connector."""

    rules: ClassVar[tuple[Rule, ...]] = (*ManagedSpec.rules, *ConnectorFields.rules)


class InternalConnector(ConnectorFields):
    """A connector that belongs to one model, and is part of it in OpenSearch."""


class PreviousConnector(Model):
    """An earlier connector that is kept for a while."""

    id: RemoteID
    """Id of the connector in OpenSearch."""
    since: Timestamp
    """When it was replaced."""


class Candidate(Model):
    """A new connector that no model uses yet."""

    id: RemoteID
    """Id of the connector in OpenSearch."""
    revision: Annotated[int, Field(ge=1)]
    """Its number among the connectors made for this object."""
    spec_hash: ShortText
    """Hash of the request that it was made by, without credentials."""
    credential_revision: ShortText
    """Versions of the Secrets that it was made with."""


class Trial(Model):
    """The temporary model by which a candidate is tried, in a group of its own."""

    revision: Annotated[int, Field(ge=1)]
    """Revision of the connector that is tried."""
    model_group_id: Annotated[RemoteID | None, Field(alias="modelGroupID")] = None
    """Id of the group in OpenSearch."""
    model_id: Annotated[RemoteID | None, Field(alias="modelID")] = None
    """Id of the model in OpenSearch."""


class MLConnectorStatus(ManagedStatus):
    """The connector as it is."""

    revision: Annotated[int, Field(ge=0)] = 0
    """Number of connectors made for this object so far."""
    live_revision: Annotated[int, Field(ge=1)] | None = None
    """Which of them `id` is."""
    models_held_since: Timestamp | None = None
    """Since when the models are kept undeployed, so that the connector can be changed."""
    candidate: Candidate | None = None
    """A connector that is tried before the models are moved to it."""
    trial: Trial | None = None
    """What it is tried by, until that is removed."""
    previous: Annotated[list[PreviousConnector], Field(max_length=16), ListMap("id")] = Field(
        default_factory=list
    )
    """Earlier connectors that still exist."""
    credential_revision: ShortText | None = None
    """Versions of the Secrets whose values were last applied; no value and no hash of one."""
    spec_hash: ShortText | None = None
    """Hash of the request that was last applied, without credentials."""
    used_by_models: Annotated[int, Field(ge=0)] | None = None
    """Number of RemoteModels that refer to the connector."""

    @property
    def live(self) -> int:
        """The revision that `id` is."""
        return self.live_revision or self.revision
