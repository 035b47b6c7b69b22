"""ClusterOpenSearchConnection: a connection of the platform team, for the namespaces that it lets in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .common import Model, SecretKeyRef, SecretRef
from .connection import (
    TLS,
    Auth,
    BasicAuth,
    BearerAuth,
    CARef,
    ClientCertificateAuth,
    OpenSearchConnectionSpec,
    SigV4Auth,
)
from .fields import ListSet, ObjectName
from .rules import Rule

NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
LabelKey = Annotated[
    str, Field(min_length=1, max_length=317, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]


class NamespacedRef(Model):
    """A reference that names the namespace it leads to."""

    namespace: NamespaceName
    """Namespace of the object."""


class ClusterSecretRef(NamespacedRef, SecretRef):
    """A reference to a Secret in any namespace."""

    name: ObjectName
    """Name of the Secret."""


class ClusterCARef(NamespacedRef, CARef):
    """Where the certificate of the authority is."""

    name: ObjectName
    """Name of the object."""


class ClusterBasicAuth(BasicAuth):
    """User name and password."""

    secret_ref: ClusterSecretRef
    """Secret with the keys `username` and `password`."""


class ClusterSecretKeyRef(NamespacedRef, SecretKeyRef):
    """A reference to one key of a Secret in any namespace."""

    name: ObjectName
    """Name of the Secret."""


class ClusterBearerAuth(BearerAuth):
    """A token, for example a JSON Web Token."""

    secret_key_ref: ClusterSecretKeyRef | None = None
    """The token in a Secret."""


class ClusterClientCertificateAuth(ClientCertificateAuth):
    """A certificate that the operator shows when it connects."""

    secret_ref: ClusterSecretRef
    """Secret of type `kubernetes.io/tls`, with the keys `tls.crt` and `tls.key`."""


class ClusterSigV4Auth(SigV4Auth):
    """AWS Signature Version 4: an identity of AWS signs each request."""

    secret_ref: ClusterSecretRef | None = None
    """Secret with the keys `access_key`, `secret_key` and, for temporary keys, `session_token`. Without it
    the identity is that of the operator's own pod."""

    @property
    def of_team(self) -> bool:
        """Whether somebody who has one namespace can have written it."""
        return False


class ClusterAuth(Auth):
    """The identity the operator uses at the cluster; at most one."""

    basic: ClusterBasicAuth | None = None
    """HTTP basic authentication."""
    bearer: ClusterBearerAuth | None = None
    """A token in the header `Authorization`."""
    client_certificate: ClusterClientCertificateAuth | None = None
    """TLS client authentication; needs https endpoints."""
    sigv4: ClusterSigV4Auth | None = None
    """Signed requests, for Amazon OpenSearch Service."""


class ClusterTLS(TLS):
    """How the cluster's certificate is verified. Plain https uses the system's authorities."""

    ca_ref: ClusterCARef | None = None
    """Certificate authority that signed the cluster's certificate."""
    insecure_skip_verify: bool = False
    """Trust whoever answers: everyone on the way can read the operator's password. For tests alone."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!self.insecureSkipVerify || !has(self.caRef)",
            message="caRef is of no use with insecureSkipVerify",
            field="insecureSkipVerify",
            holds=lambda body: not (body["insecureSkipVerify"] and "caRef" in body),
        ),
    )

    @property
    def verifies(self) -> bool:
        """Whether the certificate is verified at all."""
        return not self.insecure_skip_verify


class LabelRequirement(Model):
    """One condition on a label."""

    key: LabelKey
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How label and values relate; NotIn and DoesNotExist also hold where there is no such label."""
    values: Annotated[list[LabelValue], Field(max_length=64)] | None = None
    """Values, for In and NotIn."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel='(self.operator in ["In", "NotIn"]) == (has(self.values) && size(self.values) > 0)',
            message="operators In and NotIn need values, Exists and DoesNotExist have none",
            field="values",
            holds=lambda body: (body["operator"] in {"In", "NotIn"}) == bool(body.get("values")),
        ),
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition."""
        value, values = labels.get(self.key), self.values or ()
        match self.operator:
            case "In":
                return value in values
            case "NotIn":
                return value not in values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None


class LabelSelector(Model):
    """Conditions on the labels of a namespace; all must hold."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32)] | None = None
    """Labels with these very values."""
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=32)] | None = None
    """Conditions on labels."""

    rules: ClassVar[tuple[Rule, ...]] = (
        # In Kubernetes an empty selector takes all: too much to give away by leaving something out.
        Rule(
            cel=(
                "(has(self.matchLabels) && size(self.matchLabels) > 0)"
                " || (has(self.matchExpressions) && size(self.matchExpressions) > 0)"
            ),
            message="a selector needs matchLabels or matchExpressions; for every namespace:"
            " kubernetes.io/metadata.name Exists",
            field="matchLabels",
            holds=lambda body: bool(body.get("matchLabels") or body.get("matchExpressions")),
        ),
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet all conditions."""
        wanted = (self.match_labels or {}).items()
        return all(labels.get(key) == value for key, value in wanted) and all(
            requirement.matches(labels) for requirement in self.match_expressions or ()
        )


class AllowedNamespaces(Model):
    """The namespaces whose objects may use the connection: those named, and those selected."""

    names: Annotated[list[NamespaceName], Field(max_length=256), ListSet()] | None = None
    """Names of namespaces."""
    selector: LabelSelector | None = None
    """Labels of namespaces, as they are now: a namespace that loses its label loses the connection."""

    def allow(self, namespace: str, labels: Mapping[str, str] | None) -> bool:
        """Whether a namespace is let in; `labels` is None as long as they are not known."""
        if namespace in (self.names or ()):
            return True
        return self.selector is not None and labels is not None and self.selector.matches(labels)


class ClusterOpenSearchConnectionSpec(OpenSearchConnectionSpec):
    """How to reach an OpenSearch cluster, and who may use this way."""

    auth: ClusterAuth | None = None
    """The identity the operator uses; absent for a cluster without the Security plugin."""
    tls: ClusterTLS | None = None
    """How the cluster's certificate is verified."""
    allowed_namespaces: AllowedNamespaces | None = None
    """The namespaces whose objects may use the connection; nobody when it is empty."""
    allow_external_ids: Annotated[bool, Field(alias="allowExternalIDs")] = False
    """Whether they may also name objects of OpenSearch by their ids, which may belong to others."""
