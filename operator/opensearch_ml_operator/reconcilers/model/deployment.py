"""The effects on a registered model: deploy, undeploy, change in place. One at a time, recorded at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.model import RemoteModelStatus
from .. import managed, refusal
from ..conditions import Fact, false
from ..corrections import Corrections
from ..creation.steps import Creation
from ..outcome import Outcome
from ..records import digest
from ..session import Session
from . import bodies, computed
from .internal_connector import FIELD
from .plan import POLLS, Undeploy
from .target import Target, deploying, synced
from .watch import Watches


class Deployment:
    """Carries out what the plan decides."""

    def __init__(self, creation: Creation, watches: Watches, corrections: Corrections) -> None:
        self._creation = creation
        self._watches = watches
        self._corrections = corrections

    async def deploy(
        self, session: Session[RemoteModelStatus], target: Target, *, undeploy_first: bool = False
    ) -> Outcome:
        """Send the deploy once and record its task before anything waits for it."""
        key, client, model_id = session.snapshot.key, target.resolved.client, session.status.id or ""
        if not target.resolved.deploys.try_enter(key, model_id):
            return Outcome(requeue_after=managed.PARKED)
        if undeploy_first:
            await client.undeploy_model(model_id)
        self._creation.use(session)
        self._watches.restart(session.snapshot.uid)
        try:
            task_id = await client.deploy_model(model_id)
        except MLError as error:
            if error.code.effect_unknown:
                self._creation.use(session)  # the server may take its time from the end of the wait on
                return Outcome(requeue_after=1.0)
            target.resolved.leave(key)
            self._creation.forget(session.snapshot.uid)
            await session.record(*synced(), _not_deployed(error), pending=None)
            return refusal.outcome(error)
        tasks = computed.started(session.status.tasks, "Deploy", task_id, now=session.now, state="RUNNING")
        await session.record(*synced(), deploying(), tasks=tasks)
        return Outcome(requeue_after=POLLS[0])

    async def undeploy(self, session: Session[RemoteModelStatus], target: Target, step: Undeploy) -> Outcome:
        """Say so, then undeploy; whether it has worked shows only in the state."""
        if step.first:
            session.event("Undeployed", "Undeploying, as its spec says, or its connector's.")
        await session.record(*synced(), step.fact)
        await target.resolved.client.undeploy_model(session.status.id or "")
        return Outcome(requeue_after=step.after)

    async def update(
        self, session: Session[RemoteModelStatus], target: Target, body: Mapping[str, Any]
    ) -> Outcome:
        """Change in place; a loaded model follows a new connector without a failed prediction."""
        client, model_id = target.resolved.client, session.status.id or ""
        new_connector = body.get("connector_id")
        if new_connector is not None and await client.get_connector(new_connector) is None:
            # The server would accept the missing id, and go on serving the old one without a word.
            words = f"Connector {new_connector} does not exist in OpenSearch."
            fact = false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTOR_NOT_FOUND, words)
            await session.record(fact)
            return Outcome(retry=True)
        await client.update_model(model_id, target.update_request(body))
        sent = new_connector is not None or FIELD in body
        drifted = session.status.spec_hash == target.spec_hash
        if drifted:
            self._corrections.add(session.snapshot.uid, digest(body))
        session.event("DriftCorrected" if drifted else "Updated", f"Changed {', '.join(sorted(body))}.")
        await session.record(
            spec_hash=target.spec_hash,
            extra_fields=bodies.extra_fields(target.spec, session.status),
            connector_id=target.resolved.connector_id,
            model_group_id=target.body["model_group_id"],
            connector_changed_at=session.now if sent else session.status.connector_changed_at,
        )
        return Outcome(requeue_after=0)

    async def send_again(
        self,
        session: Session[RemoteModelStatus],
        target: Target,
        part: Mapping[str, Any],
        deployed: str | None,
    ) -> Outcome:
        """Have the nodes read the connector once more, which fails no prediction."""
        await target.resolved.client.update_model(session.status.id or "", target.update_request(part))
        words = "A node has joined that may know the connector of before: it was sent again to all nodes."
        session.event("ConnectorSentAgain", words)
        await session.record(last_deployed_at=deployed)
        return Outcome(requeue_after=0)


def _not_deployed(error: MLError) -> Fact:
    if error.code is MLCode.REJECTED and "eligible" in error.message:
        words = f"{error.message}. See plugins.ml_commons.task_dispatcher.eligible_node_role.remote_model."
        return false(ConditionType.DEPLOYED, Reason.NO_ELIGIBLE_NODES, words)
    refused = refusal.fact(error, doing="deploy the model")
    return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, refused.message, stalled=refused.stalled)
