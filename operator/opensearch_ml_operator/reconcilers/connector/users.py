"""The RemoteModels that refer to a connector, as the operator knows them."""

from __future__ import annotations

from ...models.connector import MLConnectorStatus
from ...models.model import RemoteModelSpec
from ...models.probe import Probe
from ...models.snapshot import Snapshot
from ..conditions import Fact
from ..creation.protocol import Role
from ..records import digest, parse_spec
from ..session import Session


def users(session: Session[MLConnectorStatus]) -> tuple[Snapshot, ...]:
    """Return the newest versions of the models that refer to the connector."""
    catalog = session.ports.catalog
    found = (catalog.get(key) for key in catalog.dependents(session.snapshot.key))
    return tuple(user for user in found if user is not None)


def is_deploying(user: Snapshot) -> bool:
    """Whether a deployment is announced that may have read the connector at any moment."""
    pending = user.status.get("pending")
    return isinstance(pending, dict) and pending.get("role") == Role.DEPLOY.value


def probes(session: Session[MLConnectorStatus]) -> tuple[Probe, ...]:
    """Return the probes of the models that are called through the connector; of equal ones, one."""
    status = session.status
    revisions = {status.id, *(previous.id for previous in status.previous)}
    found: dict[str, Probe] = {}
    for user in users(session):
        if user.deleting or user.status.get("connectorID") not in revisions:
            continue
        spec = parse_spec(RemoteModelSpec, user.spec)
        if isinstance(spec, Fact) or spec.probe is None or not (spec.deploy and spec.enabled):
            continue
        if spec.probe.request is not None:
            found.setdefault(fingerprint(spec.probe), spec.probe)
    return tuple(found.values())


def fingerprint(probe: Probe) -> str:
    """Return what tells two probes apart that are sent, or judged, differently."""
    return digest([probe.request, probe.expect and probe.expect.to_body()])
