"""What connectors, groups and models have in common around their own plans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..constants import ConditionType, Reason
from ..errors import MLError
from ..models.common import ManagedStatus, StatusBase, seconds
from ..models.snapshot import ObjectKey, Snapshot
from . import references, refusal, retention
from .conditions import Fact, false, find
from .creation import protocol
from .creation.protocol import Role
from .creation.steps import NEW, Created, Creation
from .outcome import Outcome
from .ports import GateName, Hit, MLCommons
from .references import Connected, Unknown
from .session import Ports, Session

NET = 300.0
"""Seconds after which something is looked at again although an event should have woken it long ago."""
GRACE = 5.0
"""Seconds for which a new object waits for what it refers to without a word."""
CROWD = 300.0
"""Seconds for which it does so when that is on its way: among many objects each waits for its turn."""
LEAVING = 60.0
"""Seconds for which users that are being deleted too are waited for without a word."""
PARKED = 30.0
"""Seconds after which whoever waits for a gate asks it again, should its wake-up have been lost."""
DELETE_POLL = 1.0


def resync(interval: str) -> float | None:
    """Return the seconds until the next look at an object at rest; None when resync is off."""
    return seconds(interval) or None


def freshness(interval: str) -> float:
    """Return how old a batched read may be: half a resync, so that drift is seen within one and a half."""
    return (seconds(interval) or NET) / 2


async def unconnected(session: Session[StatusBase], verdict: Fact | Unknown) -> Outcome:
    """Show why the connection cannot be used; the connection wakes its dependents when it can."""
    if isinstance(verdict, Fact):
        grace = CROWD if verdict.awaited else GRACE
        if not session.waited(grace):
            return Outcome(requeue_after=grace)
        await session.record(verdict)
    return Outcome(requeue_after=NET)


async def refused(session: Session[StatusBase], error: MLError, *, doing: str) -> Outcome:
    """Show a refusal and try again with growing delay."""
    await session.record(refusal.fact(error, doing=doing))
    return refusal.outcome(error)


async def blocked(session: Session[StatusBase], reason: Reason, words: str, *, after: float = NET) -> Outcome:
    """Show what holds a deletion up; it goes on by itself."""
    if not session.waited(GRACE):
        return Outcome(requeue_after=min(GRACE, after))
    await session.record(false(ConditionType.DELETABLE, reason, words))
    return Outcome(requeue_after=after)


async def held(session: Session[ManagedStatus], remedy: str) -> Outcome | None:
    """Wait for the resources that refer to this one; None when there are none.

    Those that are on their way out themselves say on their own what keeps them.
    """
    catalog = session.ports.catalog
    key = session.snapshot.key
    users = catalog.dependents(key)
    if not users:
        return None
    staying = tuple(user for user in users if (known := catalog.get(user)) is None or not known.deleting)
    if not staying and not session.waited(LEAVING):
        return Outcome(requeue_after=LEAVING)
    return await blocked(
        session,
        Reason.USED_BY_MODELS,
        f"Used by {references.names(staying or users, key.namespace)}. {remedy}",
    )


def connection_for_deletion(ports: Ports, key: ObjectKey) -> Connected | Fact | Unknown:
    """Resolve the connection of an object that is being deleted, whoever may use it by now."""
    verdict = references.reachable(ports, key)
    if not isinstance(verdict, Fact):
        return verdict
    words = (
        f"{verdict.message} The remote object cannot be deleted without it. Mend the connection, or "
        "leave the object in OpenSearch: kubectl annotate ... opensearchml.io/deletion-policy=Retain"
    )
    return false(ConditionType.DELETABLE, Reason.CONNECTION_UNAVAILABLE, words)


async def live(ports: Ports, snapshot: Snapshot) -> Snapshot | None:
    """Read an object that is being deleted; None when it, or our finalizer in it, is gone.

    kopf keeps back the events of an object whose delete handler runs: an annotation that lets it go is seen
    only here.
    """
    now = await ports.store.read(snapshot.key)
    return now if now is not None and now.uid == snapshot.uid and now.finalizer else None


def lost(session: Session[ManagedStatus]) -> bool:
    """Whether the status looks as if it was wiped: then it proves nothing about what is in OpenSearch.

    Whoever has been there for a while has been told about his references, or about his spec.
    """
    told = (ConditionType.REFERENCES_RESOLVED, ConditionType.SYNCED)
    return session.age > NEW and not any(find(session.status.conditions, each) for each in told)


async def never_made(session: Session[ManagedStatus], connection: ObjectKey) -> bool:
    """Whether nothing is in OpenSearch of a resource that has nothing on record.

    What is in use stays until who uses it has gone. So where the connection does not exist, or the connector
    that would lead to it, nothing was made, and a status is empty because nobody has come to write it: the
    operator was away. Raises the errors of StatusStore.
    """
    if not lost(session):
        return True
    way = connection
    if not way.name:
        reference = session.snapshot.spec.get("connectorRef")
        name = reference.get("name") if isinstance(reference, dict) else None
        way = ObjectKey(references.CONNECTOR, session.snapshot.key.namespace, str(name))
    if way.kind == references.CLUSTER_CONNECTION and not session.ports.cluster_wide:
        return False
    return await session.ports.store.read(way) is None


async def retained(session: Session[ManagedStatus], connection: ObjectKey) -> Outcome:
    """Let the resource go and leave the remote object where it is; its connection keeps that in mind.

    Raises the errors of StatusStore.
    """
    if session.snapshot.retain:
        await retention.note(session.ports, connection, session.snapshot)
    if session.status.id:
        session.event("Retained", f"{session.status.id} stays in OpenSearch, as the resource says.")
    return Outcome(finalized=True)


class Remover:
    """Deletes one remote object of a simple kind and proves that it is gone."""

    def __init__(
        self,
        *,
        get: Callable[[str], Awaitable[Hit | None]],
        delete: Callable[[str], Awaitable[None]],
    ) -> None:
        self._get = get
        self._delete = delete

    async def remove(self, object_id: str) -> bool:
        """Delete, then GET: only GET's 404 is proof (a DELETE answers 200, 404 or 500 for a missing one)."""
        await self._delete(object_id)
        return await self._get(object_id) is None


def leave_gates(ports: Ports, snapshot: Snapshot, key: ObjectKey) -> None:
    """Give up the places in all gates of a connection: the object waits for something else, or is going."""
    if not key.name:  # it has never known which connection it is to use
        return
    names: tuple[GateName, ...] = ("group", "register", "deploy", "probe")
    for name in names:
        ports.pool.gate(key, name).leave(snapshot.key)


async def settle_intent(
    session: Session[ManagedStatus], creation: Creation, client: MLCommons, *, role: Role
) -> Created | Outcome | None:
    """Before a deletion: find out what a standing intent has created; None when there is nothing."""
    pending = session.status.pending
    if pending is None or pending.role != role.value:
        return None
    settled = await creation.settle(session, client, role=role, revision=pending.revision)
    if isinstance(settled, Outcome):
        await session.record(
            false(
                ConditionType.DELETABLE,
                Reason.WAITING_FOR_UNRESOLVED_CREATE,
                "A create got no clear answer and may still be carried out; deletion waits to know that.",
            )
        )
    return settled


async def absent(
    session: Session[ManagedStatus], client: MLCommons, *, role: Role, revision: int
) -> Hit | None:
    """Return an object that still carries the marker; None proves that there is none."""
    token = protocol.marker(session.snapshot.uid, role, revision)
    hits = await client.search_marker(role.value.lower(), token)
    return hits[0] if hits else None
