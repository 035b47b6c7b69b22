"""OpenSearch with the identity of a connection, read with the rights of whoever runs the command."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from ..aws.source import Credentials
from ..errors import KubernetesForbiddenError
from ..kube.secrets import KubeSecretSource
from ..models.snapshot import Snapshot
from ..opensearch.imprint import Imprint
from ..opensearch.login import login_of
from ..opensearch.mlcommons import MLCommonsClient
from ..opensearch.pool import client_over
from ..opensearch.transport import Transport
from ..reconcilers.aws import AWSSource
from ..reconcilers.conditions import Fact
from ..reconcilers.connection import identity
from ..reconcilers.connection.reconciler import SPECS, namespace_of
from ..reconcilers.ports import AccountToken, ConnectionSettings, SecretSource, TokenSource
from ..reconcilers.records import parse_spec
from .cluster import Cluster

_ONLY_THE_OPERATOR = "the identity is a token of the operator's own ServiceAccount, which nobody else has"
_ONLY_THE_POD = "the identity is that of the operator's own pod in AWS, which nobody else has"


class NoTokens:
    """Implements `TokenSource` for somebody who is not the operator."""

    def allowed(self, audience: str) -> bool:
        """Whether such a token may be had: the answer is given when it is asked for."""
        del audience
        return True

    async def token(self, wanted: AccountToken) -> str:
        """Raise KubernetesForbiddenError."""
        del wanted
        raise KubernetesForbiddenError(_ONLY_THE_OPERATOR)

    def forget(self, wanted: AccountToken) -> None:
        """Do nothing: there was none."""


def aws() -> Credentials:
    """Return a source that has what Secrets name, and no identity of its own."""
    return Credentials(None, for_teams=True, learn=lambda _: None, now=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Sources:
    """What a person can read of identities."""

    secrets: SecretSource
    tokens: TokenSource = field(default_factory=NoTokens)
    aws: AWSSource = field(default_factory=aws)


@dataclass(frozen=True, slots=True)
class Remote:
    """A way to one OpenSearch cluster."""

    settings: ConnectionSettings
    transport: Transport
    client: MLCommonsClient


def forwarded(connection: Snapshot, endpoint: str | None) -> Snapshot:
    """Return a connection that is reached elsewhere, such as at a forwarded port, if an endpoint is given.

    The certificate is still checked for the host of the first endpoint of its own.
    """
    own = connection.spec.get("endpoints")
    if endpoint is None or not own:
        return connection
    tls = {"serverName": urlsplit(str(own[0])).hostname, **(connection.spec.get("tls") or {})}
    return replace(connection, spec={**connection.spec, "endpoints": [endpoint], "tls": tls})


async def settings_of(cluster: Cluster, connection: Snapshot) -> ConnectionSettings | Fact:
    """Read what a connection refers to; a Fact says what is wrong with it.

    Raises the errors of `SecretSource`.
    """
    spec = parse_spec(SPECS[connection.key.kind], connection.spec)
    if isinstance(spec, Fact):
        return spec
    if spec.auth is not None and spec.auth.bearer is not None and spec.auth.bearer.service_account_token:
        raise KubernetesForbiddenError(_ONLY_THE_OPERATOR)
    if spec.auth is not None and spec.auth.sigv4 is not None and spec.auth.sigv4.secret_ref is None:
        raise KubernetesForbiddenError(_ONLY_THE_POD)
    sources = Sources(KubeSecretSource(cluster.kube))
    return await identity.resolve(sources, spec, partial(namespace_of, connection.key))


@asynccontextmanager
async def dial(settings: ConnectionSettings) -> AsyncIterator[Remote]:
    """Open a client with these settings; it is closed with the context."""
    transport = Transport(
        settings,
        login=login_of(settings, NoTokens(), aws()),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    try:
        yield Remote(settings, transport, client_over(transport, clock=time.monotonic, imprint=Imprint("")))
    finally:
        await transport.retire()
