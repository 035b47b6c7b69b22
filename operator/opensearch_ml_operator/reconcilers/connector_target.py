"""What one MLConnector is to become: spec, connection and credentials, all of them resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..constants import ConditionType
from ..models.connector import MLConnectorSpec, MLConnectorStatus
from ..models.snapshot import ObjectKey, Snapshot
from . import connector_body, managed, references
from .conditions import Fact, true
from .credentials import Credentials
from .outcome import Outcome
from .ports import MLCommons, SecretSource
from .records import digest, parse_spec
from .references import Connected
from .session import Session


class Applied(NamedTuple):
    """Tells what was sent from what is to be sent."""

    spec_hash: str | None
    credential_revision: str | None


UNKNOWN: Final = Applied(None, None)
"""Of a connector that was found: its own description tells."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The connector as it should be, with all that it takes to make it so."""

    spec: MLConnectorSpec
    content: Mapping[str, Any]
    """The request without marker and credential."""
    credentials: Credentials
    connection: ObjectKey
    client: MLCommons

    @property
    def applied(self) -> Applied:
        """What is recorded once it has been sent."""
        return Applied(digest(self.content), self.credentials.revision)


async def resolve(session: Session[MLConnectorStatus]) -> Wanted | Outcome:
    """Follow all references; what is missing is shown and waited for."""
    snapshot, ports = session.snapshot, session.ports
    spec = parse_spec(MLConnectorSpec, snapshot.spec)
    if isinstance(spec, Fact):
        await session.record(spec)
        return Outcome()
    key = references.connection_key(snapshot)
    connected = references.connection(ports, key, snapshot.key)
    if not isinstance(connected, Connected):
        return await managed.unconnected(session, connected)
    resolved = true(ConditionType.REFERENCES_RESOLVED)
    credentials = await _credentials(ports.secrets, snapshot, spec)
    if isinstance(credentials, Fact):
        await session.record(resolved, credentials)
        return Outcome(retry=True)
    content = connector_body.content(
        snapshot, spec, private_allowed=ports.pool.private_addresses_allowed(key)
    )
    if isinstance(content, Fact):
        await session.record(resolved, true(ConditionType.CREDENTIALS_RESOLVED), content)
        return Outcome(requeue_after=managed.resync(spec.resync_interval))
    return Wanted(spec, content, credentials, key, connected.client)


async def _credentials(source: SecretSource, snapshot: Snapshot, spec: MLConnectorSpec) -> Credentials | Fact:
    credentials = Credentials()
    namespace = snapshot.key.namespace
    type_ = ConditionType.CREDENTIALS_RESOLVED
    missing: Fact | None = None
    if spec.credentials_from is not None:
        name = spec.credentials_from.secret_ref.name
        missing = await credentials.add(source, namespace=namespace, secret=name, keys=None, type_=type_)
    for credential in spec.credentials:
        if credential.value is not None:
            credentials.constant(credential.name, credential.value)
        elif credential.secret_key_ref is not None:
            ref = credential.secret_key_ref
            missing = missing or await credentials.add(
                source, namespace=namespace, secret=ref.name, keys={credential.name: ref.key}, type_=type_
            )
    return missing or credentials


def resolved() -> tuple[Fact, ...]:
    """Return the facts that come before all that is said about the connector itself."""
    return (true(ConditionType.REFERENCES_RESOLVED), true(ConditionType.CREDENTIALS_RESOLVED))


def ready() -> tuple[Fact, ...]:
    """Return the facts of a connector that is as it should be."""
    return (*resolved(), true(ConditionType.SYNCED))
