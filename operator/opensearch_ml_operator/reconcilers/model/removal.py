"""Deleting a RemoteModel: switch auto-deploy off, undeploy, delete, prove that nothing is left."""

from __future__ import annotations

from http import HTTPStatus

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.model import RemoteModelStatus
from ...models.snapshot import Snapshot
from .. import adoption, dependants, managed, references, states
from ..conditions import false
from ..creation.protocol import Role
from ..creation.steps import Creation
from ..outcome import Outcome
from ..ports import Hit, MLCommons
from ..references import Connected
from ..session import Ports, Session
from . import bodies, own_group
from .watch import Watches

_SETTLE = 30.0
"""Seconds that a running deployment is waited for: an undeploy in the middle of it does not stick."""
_POLL = 0.3
_LONGEST_POLL = 10.0


class ModelRemoval:
    """One step a run; every step is decided by what the server shows, so it can be begun again anywhere."""

    def __init__(self, ports: Ports, creation: Creation, watches: Watches) -> None:
        self._ports = ports
        self._creation = creation
        self._watches = watches

    async def run(self, snapshot: Snapshot) -> Outcome:
        """Take the next step; `finalized` only when the absence of model and own group is proven."""
        session = Session(self._ports, snapshot, RemoteModelStatus)
        status = session.status
        nothing = status.id is None and status.pending is None and status.owned_group_id is None
        connection = references.used_connection(self._ports, snapshot)
        nothing = nothing and await managed.never_made(session, connection)
        if nothing or adoption.releases(self._ports, snapshot):
            return await managed.retained(session, connection)
        connected = managed.connection_for_deletion(self._ports, connection)
        if not isinstance(connected, Connected):
            return await managed.unconnected(session, connected)
        try:
            return await self._step(session, connected.client)
        except MLError as error:
            return await self._not_deleted(session, connected.client, error)

    async def _step(self, session: Session[RemoteModelStatus], client: MLCommons) -> Outcome:
        settled = await managed.settle_intent(session, self._creation, client, role=Role.MODEL)
        if isinstance(settled, Outcome):
            return settled
        model_id = session.status.id or (settled.id if settled else None)
        model = await client.observe("model", model_id, max_age=0) if model_id else None
        if model is not None:
            waiting = await self._remove(session, client, model)
            if waiting is not None:
                return waiting
        while left := await managed.absent(session, client, role=Role.MODEL, revision=bodies.REVISION):
            waiting = await self._remove(session, client, left)
            if waiting is not None:
                return waiting
        return await self._remove_group(session, client)

    async def _remove(
        self, session: Session[RemoteModelStatus], client: MLCommons, model: Hit
    ) -> Outcome | None:
        """Bring the model down, then delete it; None when it is proven to be gone.

        OpenSearch undeploys a model that pipelines and agents still call.
        """
        waiting = await dependants.named(session, client, [model.id], kind="model")
        if waiting is not None:
            return waiting
        state = str(model.source.get("model_state", ""))
        watch = self._watches.see(session.snapshot.uid, state)
        deploying = state == states.DEPLOYING
        if deploying and watch.same_for < _SETTLE:
            return Outcome(requeue_after=_POLL)
        if not deploying:  # while it is deploying the server refuses this
            await keep_down(client, model)
        if state in states.LOADED or (state != states.REGISTERED and await is_loaded(client, model.id)):
            await client.undeploy_model(model.id)
            if watch.polls > 1:
                words = "Undeploying; the model is deleted when no node holds it any more."
                await session.record(false(ConditionType.DELETABLE, Reason.UNDEPLOY_RUNNING, words))
            # Most go at the first undeploy. One that does not is looked at again before more is tried.
            if watch.polls > 1 or await is_loaded(client, model.id):
                return Outcome(requeue_after=min(_LONGEST_POLL, _POLL * watch.polls))
        gone = await _remover(client).remove(model.id)
        return None if gone else Outcome(requeue_after=managed.DELETE_POLL)

    async def _remove_group(self, session: Session[RemoteModelStatus], client: MLCommons) -> Outcome:
        """Delete the group that was made for this model alone, unless somebody else uses it by now."""
        settled = await managed.settle_intent(session, self._creation, client, role=Role.GROUP)
        if isinstance(settled, Outcome):
            return settled
        group_id = session.status.owned_group_id or (settled.id if settled else None)
        if group_id is None and managed.lost(session):
            left = await managed.absent(session, client, role=Role.GROUP, revision=bodies.REVISION)
            group_id = left.id if left is not None else None
        if group_id is None:
            return Outcome(finalized=True)
        try:
            waiting = await own_group.remove(session, client, group_id)
        except MLError as error:
            if error.code is not MLCode.IN_USE:
                raise
            words = f"Group {group_id}, made for this model, stays: models of somebody else are in it."
            session.event("Retained", words, warning=True)
            return Outcome(finalized=True)
        return waiting or Outcome(finalized=True)

    async def _not_deleted(
        self, session: Session[RemoteModelStatus], client: MLCommons, error: MLError
    ) -> Outcome:
        if error.code is MLCode.IN_USE:
            try:
                return await dependants.refused(session, client, session.status.id or "", error)
            except MLError as unclear:
                error = unclear
        if error.code in {MLCode.BUSY, MLCode.NOT_FOUND}:
            return Outcome(requeue_after=managed.DELETE_POLL)
        return await managed.blocked(session, Reason.CONNECTION_UNAVAILABLE, error.message, after=5)


def _remover(client: MLCommons) -> managed.Remover:
    return managed.Remover(get=client.get_model, delete=client.delete_model)


async def is_loaded(client: MLCommons, model_id: str) -> bool:
    """Whether a node still holds the model, although its document says otherwise. Raises MLError."""
    try:
        return await client.loaded_nodes(model_id) > 0
    except MLError as error:
        if error.code is MLCode.FORBIDDEN:  # without this right the document is all there is
            return False
        raise


async def keep_down(client: MLCommons, model: Hit) -> None:
    """Switch auto-deploy off: otherwise the next prediction brings an undeployed model back."""
    if not bodies.auto_deploys(model.source):
        return
    try:
        await client.update_model(model.id, {"deploy_setting": {"is_auto_deploy_enabled": False}})
    except MLError as error:
        if error.status != HTTPStatus.METHOD_NOT_ALLOWED:  # before 2.12, where nothing deploys by itself
            raise
