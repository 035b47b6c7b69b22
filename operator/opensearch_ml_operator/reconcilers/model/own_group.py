"""The group that the operator made for one model: it goes when the model goes, or has moved to another."""

from __future__ import annotations

from ...errors import MLCode, MLError
from ...models.model import RemoteModelStatus
from .. import managed
from ..creation.protocol import Role
from ..outcome import Outcome
from ..ports import MLCommons
from ..session import Session
from . import bodies
from .target import Target


async def remove(session: Session[RemoteModelStatus], client: MLCommons, group_id: str) -> Outcome | None:
    """Delete the group; None when its absence is proven. Raises MLError, IN_USE when models are in it."""
    remover = managed.Remover(get=client.get_group, delete=client.delete_group)
    if not await remover.remove(group_id):
        return Outcome(requeue_after=managed.DELETE_POLL)
    left = await managed.absent(session, client, role=Role.GROUP, revision=bodies.REVISION)
    if left is None:
        return None
    await client.delete_group(left.id)
    return Outcome(requeue_after=managed.DELETE_POLL)


async def leave(session: Session[RemoteModelStatus], target: Target) -> Outcome | None:
    """Delete the group once the model is in another; None when there is nothing to do or to wait for."""
    owned = session.status.owned_group_id
    if owned is None or owned == target.body["model_group_id"]:
        return None
    try:
        waiting = await remove(session, target.resolved.client, owned)
    except MLError as error:
        if error.code is not MLCode.IN_USE:
            raise
        # The server counts by a search that lags behind the move; or somebody else's models are in it.
        return Outcome(retry=True)
    if waiting is None:
        await session.record(owned_group_id=None)
    return waiting
