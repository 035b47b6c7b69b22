"""A connector whose status was lost: its revisions are still in OpenSearch, each with a marker of its own."""

from __future__ import annotations

from ...models.connector import MLConnectorStatus, PreviousConnector, Trial
from ...models.snapshot import Snapshot
from ..creation.protocol import Role, marker
from ..creation.steps import KINDS, NEW
from ..ports import Hit, MLCommons
from ..session import Session
from .revisions import MOST_PREVIOUS
from .users import users


async def revisions(client: MLCommons, snapshot: Snapshot) -> list[tuple[int, Hit]]:
    """Find all revisions of a connector by their markers, the newest first, of two copies the older one."""
    return await _marked(client, snapshot, Role.CONNECTOR)


async def recover(session: Session[MLConnectorStatus], client: MLCommons) -> bool:
    """Take the revisions back into a status that has none; False when there is nothing to take.

    The connector is the newest that a model is known to use, for a newer one may not have stood its trial; or
    else the newest. The others become previous ones: they go when no model points at them any more, like all
    previous ones. A new object has nothing to lose and costs no search.
    """
    status = session.status
    if status.id is not None or status.pending is not None or status.revision or session.age <= NEW:
        return False
    found = await revisions(client, session.snapshot)
    if not found:
        return False
    in_use = {user.status.get("connectorID") for user in users(session)}
    live, current = next((each for each in found if each[1].id in in_use), found[0])
    others = [hit for _, hit in found if hit is not current]
    previous = [PreviousConnector(id=hit.id, since=session.now) for hit in others[:MOST_PREVIOUS]]
    session.event("Recovered", f"Found connector {current.id}, revision {live}, by its marker.")
    await session.record(
        id=current.id,
        origin="Created",
        revision=found[0][0],
        live_revision=live,
        previous=previous,
        trial=await _trial(client, session.snapshot),
    )
    return True


async def _trial(client: MLCommons, snapshot: Snapshot) -> Trial | None:
    """Return what is left of a trial that nobody knows of any more: it is removed like any that is over."""
    models = await _marked(client, snapshot, Role.MODEL)
    groups = await _marked(client, snapshot, Role.GROUP)
    if not models and not groups:
        return None
    return Trial(
        revision=max(revision for revision, _ in (*models, *groups)),
        model_id=models[0][1].id if models else None,
        model_group_id=groups[0][1].id if groups else None,
    )


async def _marked(client: MLCommons, snapshot: Snapshot, role: Role) -> list[tuple[int, Hit]]:
    stem = marker(snapshot.uid, role, 0)[:-1]
    found = [(_revision(hit, stem), hit) for hit in await client.search_markers(KINDS[role], stem)]
    return sorted(found, key=lambda each: (-each[0], each[1].source.get("created_time", 0), each[1].id))


def _revision(hit: Hit, stem: str) -> int:
    words = str(hit.source.get("description", "")).split()
    return max(int(word.removeprefix(stem)) for word in words if word.startswith(stem))
