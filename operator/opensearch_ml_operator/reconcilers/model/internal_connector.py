"""A RemoteModel's own connector: registered with the model, changed in place, always sent whole.

The server encrypts what it stores once more at every change (`UpdateModelTransportAction`, 3.6 and later;
seen as ciphertext in the header of the next call), so a change without the credential would destroy it.
Nothing can be taken away by a change, and a changed `protocol` would make the connector unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...constants import ConditionType
from ...models.common import PendingChange
from ...models.model import RemoteModelSpec, RemoteModelStatus
from .. import adoption, managed
from ..conditions import Fact, true
from ..connector import bodies as connector_bodies
from ..credentials import Credentials, read
from ..difference import changes
from ..outcome import Outcome
from ..records import digest
from ..session import Session
from ..shown import mapping
from .references import Resolved

FIELD = "connector"


@dataclass(frozen=True, slots=True)
class Internal:
    """The connector as it should be, its credential apart: that is for the request alone."""

    content: Mapping[str, Any]
    credentials: Credentials
    adopted: bool = False
    """What the spec does not say of name and description stays as it was."""

    @property
    def revision(self) -> str:
        """Changes with the spec and with every Secret; no hash of a credential."""
        return digest([self.content, self.credentials.revision])

    def register_part(self) -> dict[str, Any]:
        """Return what the register request holds of it."""
        return connector_bodies.with_credential(self.content, self.credentials.values)

    def update_part(self) -> dict[str, Any]:
        """Return what an update holds of it: everything that may be changed, and the credential."""
        part = self.register_part()
        del part["protocol"]
        return part

    def difference(self, observed: Mapping[str, Any], *, applied: bool) -> dict[str, Any]:
        """Return the update that is due, without credential; empty when none is, or none is possible."""
        shown = mapping(observed.get(FIELD))
        drifted = connector_bodies.drifted(_without(self.content, shown), shown, mark=None)
        if "protocol" in drifted or (applied and not drifted):
            return {}
        return {FIELD: dict(self.content)}

    def leftover(self, observed: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what differs on the server and cannot be changed there."""
        shown = mapping(observed.get(FIELD))
        parameters = mapping(shown.get("parameters")).keys() - self.content["parameters"].keys()
        names = [f"{FIELD}.parameters.{name}" for name in sorted(parameters)]
        if shown.get("description") and "description" not in self.content and not self.adopted:
            names.append(f"{FIELD}.description")
        if shown.get("protocol") != self.content["protocol"]:
            names.append(f"{FIELD}.protocol")
        return tuple(names)

    def pending(
        self, observed: Mapping[str, Any], *, sent: bool, mask: Callable[[str], str]
    ) -> tuple[PendingChange, ...]:
        """Return what is not as wanted, field by field; `sent` when an update is due.

        When nothing that is shown differs, it is the credential or something else that is not shown.
        """
        shown = mapping(observed.get(FIELD))
        content: Mapping[str, Any] = self.content
        if shown.get("description") and "description" not in content and not self.adopted:
            content = {**content, "description": None}
        before, after = connector_bodies.compared(content, shown, mark=None)
        if sent:
            before = connector_bodies.hidden(content, shown) | before
            after = connector_bodies.hidden(content, content) | after
        found = changes({FIELD: before}, {FIELD: after}, mask=mask)
        if sent and not found:
            found = changes({FIELD: {"credential": "stored"}}, {FIELD: {"credential": "new"}}, mask=mask)
        return found


async def resolve(
    session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
) -> Internal | Outcome | None:
    """Return the model's own connector, None when it has none; what is missing is shown and waited for.

    From then on every record of the session says that the credentials are there.
    """
    if spec.connector is None:
        return None
    ports, snapshot = session.ports, session.snapshot
    found = true(ConditionType.REFERENCES_RESOLVED)
    type_ = ConditionType.CREDENTIALS_RESOLVED
    credentials = await read(ports.secrets, snapshot.key.namespace, spec.connector, type_=type_)
    if isinstance(credentials, Fact):
        await session.record(found, credentials)
        return Outcome(retry=True)
    session.standing = (true(type_),)
    allowed = ports.pool.private_addresses_allowed(resolved.connection)
    content = connector_bodies.content(snapshot, spec.connector, private_allowed=allowed)
    if isinstance(content, Fact):
        await session.record(found, content)
        return Outcome(requeue_after=managed.resync(spec.resync_interval))
    adopted = adoption.is_adopted(snapshot)
    if adopted:
        content = connector_bodies.for_adopted(content, spec.connector)
    return Internal(content, credentials, adopted)


def _without(content: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is wanted together with the parameters that stay whatever is sent."""
    return {**content, "parameters": {**mapping(shown.get("parameters")), **content["parameters"]}}
