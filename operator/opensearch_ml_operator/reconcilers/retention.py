"""What a person has left in OpenSearch on purpose: the connection keeps a list, so that it is no orphan.

An object that a deletion policy Retain has left looks like one whose finalizer was taken off. So before such
a resource goes, its uid is written down in the status of its connection, which needs no OpenSearch: Retain is
also the way out when that is away. A full list stays full, and then nothing is deleted by itself any more.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from ..models.connection import OpenSearchConnectionStatus
from ..models.snapshot import ObjectKey, Snapshot
from . import adoption, references
from .records import parse_status
from .session import Ports, Session

MOST: Final = 1000
"""As many as the status may list."""


async def note(ports: Ports, key: ObjectKey, snapshot: Snapshot) -> None:
    """Write down that the objects of a resource stay, and of an adopted one its id: its mark is another's.

    `key` is the connection's. Raises the errors of StatusStore: the resource must not go before this is done.
    """
    if not key.name or (key.kind == references.CLUSTER_CONNECTION and not ports.cluster_wide):
        return
    connection = await ports.store.read(key)
    if connection is None:
        return  # nobody looks for what was made through it
    session = Session(ports, connection, OpenSearchConnectionStatus)
    known = session.status.retained
    adopted = snapshot.status.get("id") if adoption.is_adopted(snapshot) else None
    new = [each for each in (snapshot.uid, adopted) if isinstance(each, str) and each and each not in known]
    await session.record(retained=[*known, *new][:MOST])


def retained(connection: Snapshot) -> list[str]:
    """Return uids of resources and ids of adopted objects. Raises OperatorError when they cannot be read."""
    return parse_status(OpenSearchConnectionStatus, connection.status).retained


def stays(entry: str, marks: Container[str]) -> bool:
    """Whether an entry of the list is among these ids, and uids as markers have them."""
    return entry in marks or entry.replace("-", "") in marks
