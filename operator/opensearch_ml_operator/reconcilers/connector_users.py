"""The RemoteModels that refer to a connector, as the operator knows them."""

from __future__ import annotations

from ..models.connector import MLConnectorStatus
from ..models.snapshot import Snapshot
from .create import Role
from .session import Session


def users(session: Session[MLConnectorStatus]) -> tuple[Snapshot, ...]:
    """Return the newest versions of the models that refer to the connector."""
    catalog = session.ports.catalog
    found = (catalog.get(key) for key in catalog.dependents(session.snapshot.key))
    return tuple(user for user in found if user is not None)


def is_deploying(user: Snapshot) -> bool:
    """Whether a deployment is announced that may have read the connector at any moment."""
    pending = user.status.get("pending")
    return isinstance(pending, dict) and pending.get("role") == Role.DEPLOY.value
