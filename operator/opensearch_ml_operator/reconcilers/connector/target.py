"""What one MLConnector is to become: spec, connection and credentials, all of them resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...constants import ConditionType
from ...models.connector import MLConnectorSpec, MLConnectorStatus
from ...models.snapshot import ObjectKey
from .. import managed, references, releases
from ..conditions import Fact, true
from ..credentials import Credentials, read
from ..outcome import Outcome
from ..ports import MLCommons
from ..records import digest, parse_spec
from ..references import Connected
from ..session import Session
from . import bodies


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
    credentials = await read(
        ports.secrets, snapshot.key.namespace, spec, type_=ConditionType.CREDENTIALS_RESOLVED
    )
    if isinstance(credentials, Fact):
        await session.record(resolved, credentials)
        return Outcome(retry=True)
    content = releases.refused(ports, snapshot, key) or bodies.content(
        snapshot, spec, private_allowed=ports.pool.private_addresses_allowed(key)
    )
    if isinstance(content, Fact):
        await session.record(resolved, true(ConditionType.CREDENTIALS_RESOLVED), content)
        return Outcome(requeue_after=managed.resync(spec.resync_interval))
    return Wanted(spec, content, credentials, key, connected.client)


def resolved() -> tuple[Fact, ...]:
    """Return the facts that come before all that is said about the connector itself."""
    return (true(ConditionType.REFERENCES_RESOLVED), true(ConditionType.CREDENTIALS_RESOLVED))


def ready() -> tuple[Fact, ...]:
    """Return the facts of a connector that is as it should be."""
    return (*resolved(), true(ConditionType.SYNCED))
