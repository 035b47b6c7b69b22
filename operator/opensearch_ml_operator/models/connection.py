"""OpenSearchConnection: address, trust, identity and limits of one OpenSearch cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from .common import Model, SecretKeyRef, SecretRef, StatusBase
from .fields import DataKey, Duration, ListMap, ListSet, ObjectName, RemoteID, ShortText, Timestamp
from .rules import Rule, at_most_one, exactly_one, lasts

Endpoint = Annotated[
    str,
    Field(
        min_length=8,
        max_length=512,
        # No user info, no query: a credential in the address would be readable in the spec.
        pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
    ),
]


class BasicAuth(Model):
    """User name and password."""

    secret_ref: SecretRef
    """Secret with the keys `username` and `password`."""


class ServiceAccountToken(Model):
    """A token of the operator's own ServiceAccount, which the operator renews in time."""

    audience: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[!-+.-~-]+$")]
    """Who accepts the token; the operator's installation must allow it."""
    expiration_seconds: Annotated[int, Field(ge=600, le=86400)] = 3600
    """Life of a token; Kubernetes gives none below ten minutes."""


class BearerAuth(Model):
    """A token, for example a JSON Web Token."""

    secret_key_ref: SecretKeyRef | None = None
    """The token in a Secret."""
    service_account_token: ServiceAccountToken | None = None
    """A token of the operator's own ServiceAccount."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("secretKeyRef", "serviceAccountToken"),)


class ClientCertificateAuth(Model):
    """A certificate that the operator shows when it connects."""

    secret_ref: SecretRef
    """Secret of type `kubernetes.io/tls`, with the keys `tls.crt` and `tls.key`."""


class SigV4Auth(Model):
    """AWS Signature Version 4: an identity of AWS signs each request."""

    region: Annotated[str, Field(max_length=32, pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$")]
    """Region of the domain."""
    service: Literal["es", "aoss"] = "es"
    """`es` for a domain of Amazon OpenSearch Service, `aoss` for a collection of OpenSearch Serverless."""
    role_arn: (
        Annotated[
            str,
            Field(max_length=600, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}$"),
        ]
        | None
    ) = None
    """Role that the identity assumes first."""
    secret_ref: SecretRef | None = None
    """Secret with the keys `access_key`, `secret_key` and, for temporary keys, `session_token`. Without it
    the identity is that of the operator's own pod."""

    @property
    def of_team(self) -> bool:
        """Whether somebody who has one namespace can have written it."""
        return True


class Auth(Model):
    """The identity the operator uses at the cluster; at most one."""

    basic: BasicAuth | None = None
    """HTTP basic authentication."""
    bearer: BearerAuth | None = None
    """A token in the header `Authorization`."""
    client_certificate: ClientCertificateAuth | None = None
    """TLS client authentication; needs https endpoints."""
    sigv4: SigV4Auth | None = None
    """Signed requests, for Amazon OpenSearch Service."""

    rules: ClassVar[tuple[Rule, ...]] = (at_most_one("basic", "bearer", "clientCertificate", "sigv4"),)


class CARef(Model):
    """Where the certificate of the authority is."""

    kind: Literal["Secret", "ConfigMap"]
    """Kind of the object that holds the certificate."""
    name: ObjectName
    """Name of the object, in the same namespace."""
    key: DataKey = "ca.crt"
    """Key with the PEM certificates."""


class TLS(Model):
    """How the cluster's certificate is verified. Plain https uses the system's authorities."""

    ca_ref: CARef | None = None
    """Certificate authority that signed the cluster's certificate."""
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Name expected in the certificate, when it is not the host of the endpoint."""

    @property
    def verifies(self) -> bool:
        """Whether the certificate is verified at all."""
        return True


class Timeout(Model):
    """How long the operator waits."""

    connect: Duration = "5s"
    """For a connection; between 100ms and 1m."""
    read: Duration = "10s"
    """For an answer; between 1s and 5m."""

    rules: ClassVar[tuple[Rule, ...]] = (lasts("connect", "100ms", "1m"), lasts("read", "1s", "5m"))


class Limits(Model):
    """How much the operator asks of the cluster."""

    requests_per_second: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Requests a second in the long run, health checks left out; no limit when absent."""
    burst: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Requests that may follow each other at once after a pause; as many as in a second when absent."""
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = 16
    """Requests in flight."""
    max_registers: Annotated[int, Field(ge=1, le=8)] = 4
    """Registrations in flight; beyond 10 the server refuses and leaves rubbish behind."""
    max_deploys: Annotated[int, Field(ge=1, le=8)] = 4
    """Deployments in flight; beyond 10 the server refuses and leaves rubbish behind."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.burst) || has(self.requestsPerSecond)",
            message="burst needs requestsPerSecond",
            field="burst",
            holds=lambda body: "burst" not in body or "requestsPerSecond" in body,
        ),
    )


def _shows_certificates_over_https_alone(body: Mapping[str, Any]) -> bool:
    with_certificate = "clientCertificate" in (body.get("auth") or {})
    return not with_certificate or all(endpoint.startswith("https:") for endpoint in body["endpoints"])


class OrphanHandling(Model):
    """What happens with objects in OpenSearch that were made through the connection and have no resource."""

    policy: Literal["Report", "Delete"] = "Report"
    """`Report` only shows them in the status. `Delete` also deletes them after a while, unless anybody can be
    seen to need them."""
    after: Duration = "24h"
    """How long they have been in the status before they are deleted; between 1h and 720h."""

    rules: ClassVar[tuple[Rule, ...]] = (lasts("after", "1h", "720h"),)


class OpenSearchConnectionSpec(Model):
    """How to reach an OpenSearch cluster."""

    endpoints: Annotated[list[Endpoint], Field(min_length=1, max_length=16)]
    """http or https addresses of the cluster, tried in turn when one cannot be reached."""
    auth: Auth | None = None
    """The identity the operator uses; absent for a cluster without the Security plugin."""
    tls: TLS | None = None
    """How the cluster's certificate is verified."""
    timeout: Timeout = Timeout()
    """How long the operator waits."""
    limits: Limits = Limits()
    """How much the operator asks of the cluster."""
    health_interval: Duration = "30s"
    """How often the cluster's health is checked; between 5s and 1h."""
    orphans: OrphanHandling = OrphanHandling()
    """What happens with objects in OpenSearch whose resources are gone."""

    rules: ClassVar[tuple[Rule, ...]] = (
        lasts("healthInterval", "5s", "1h"),
        Rule(
            cel=(
                "!has(self.auth) || !has(self.auth.clientCertificate)"
                ' || self.endpoints.all(endpoint, endpoint.startsWith("https:"))'
            ),
            message="clientCertificate needs https endpoints",
            field="endpoints",
            holds=_shows_certificates_over_https_alone,
        ),
    )


class ConnectionUsers(Model):
    """Objects that refer to the connection, by kind."""

    connectors: Annotated[int, Field(ge=0)] = 0
    """Number of MLConnectors."""
    models: Annotated[int, Field(ge=0)] = 0
    """Number of RemoteModels."""
    groups: Annotated[int, Field(ge=0)] = 0
    """Number of MLModelGroups."""


class Orphan(Model):
    """An object in OpenSearch that was made through the connection and whose resource does not exist."""

    kind: Literal["model", "connector", "group"]
    """What it is in OpenSearch."""
    id: RemoteID
    """Id in OpenSearch."""
    name: Annotated[str, Field(max_length=256)] = ""
    """Name in OpenSearch."""
    since: Timestamp
    """Since when it has been shown here."""


class OpenSearchConnectionStatus(StatusBase):
    """What the last health check found."""

    version: ShortText | None = None
    """Version of the cluster."""
    distribution: ShortText | None = None
    """Distribution of the cluster, `opensearch` as a rule."""
    cluster_name: ShortText | None = None
    """Name of the cluster."""
    cluster_uuid: Annotated[ShortText | None, Field(alias="clusterUUID")] = None
    """Identity of the cluster."""
    endpoint: ShortText | None = None
    """The first endpoint of the spec, for display."""
    capabilities: Annotated[list[ShortText], Field(max_length=32)] = Field(default_factory=list)
    """What this cluster can do that not every supported version can."""
    used_by: ConnectionUsers | None = None
    """Objects that refer to the connection."""
    orphans: Annotated[list[Orphan], Field(max_length=50), ListMap("id")] = Field(default_factory=list)
    """The first 50 objects in OpenSearch that were made through the connection and have no resource: by a
    finalizer that was taken off, or a restored backup. Looked for once an hour. The annotation
    `opensearchml.io/delete-orphans` with ids from here deletes them."""
    orphan_count: Annotated[int, Field(ge=0)] | None = None
    """Number of all of them."""
    retained: Annotated[list[RemoteID], Field(max_length=1000), ListSet()] = Field(default_factory=list)
    """What a deletion policy Retain has left in OpenSearch, which is no orphan: the uids of the resources,
    and the ids of adopted objects."""
