"""RemoteModel: register once, deploy, keep deployed, follow the connector.

One effect a run, and its record before the next. The plan for a registered model is `model_plan.plan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..constants import ConditionType, Reason
from ..errors import MLCode, MLError
from ..models.common import seconds
from ..models.model import RemoteModelSpec, RemoteModelStatus
from ..models.snapshot import Snapshot
from . import managed, model_body, model_plan, model_status, refusal
from .conditions import Fact, false, find, true
from .create import Role
from .creation import Created, Creation
from .model_plan import Deploy, IntendDeploy, Intent, Look, Rest, Seen, Undeploy, Update, Wanted
from .model_references import Resolved, resolve
from .model_removal import ModelRemoval
from .model_watch import Watches
from .outcome import Outcome
from .ports import Hit
from .records import digest, parse_spec
from .session import Ports, Session

_PARKED = 30.0
"""Seconds after which a parked model asks the gate again, should its wake-up have been lost."""
_DRIFT_LIMIT = 3
"""Equal corrections in a row after which somebody, or the server, keeps undoing them."""


@dataclass(frozen=True, slots=True)
class _Target:
    spec: RemoteModelSpec
    resolved: Resolved
    body: Mapping[str, Any]

    @property
    def spec_hash(self) -> str:
        return digest(self.body)


class ModelReconciler:
    """Brings one model to what its spec says, and keeps it there."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._creation = Creation()
        self._watches = Watches(ports.monotonic)
        self._removal = ModelRemoval(ports, self._creation, self._watches)

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Take the next step."""
        session = Session(self._ports, snapshot, RemoteModelStatus)
        spec = parse_spec(RemoteModelSpec, snapshot.spec)
        if isinstance(spec, Fact):
            await session.record(spec)
            return Outcome()
        resolved = resolve(self._ports, snapshot, spec)
        if not isinstance(resolved, Resolved):
            return await managed.unconnected(session, resolved)
        try:
            return await self._advance(session, spec, resolved)
        except MLError as error:
            resolved.leave(snapshot.key)
            return await managed.refused(session, error, doing="bring the model up to date")

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Take the next step towards removal."""
        live = await managed.live(self._ports, snapshot)
        return await self._removal.run(live) if live is not None else Outcome(finalized=True)

    async def _advance(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> Outcome:
        group_id = resolved.group_id or await self._own_group(session, spec, resolved)
        if isinstance(group_id, Outcome):
            return group_id
        body = model_body.desired(
            session.snapshot, spec, connector_id=resolved.connector_id, group_id=group_id
        )
        target = _Target(spec, resolved, body)
        pending = session.status.pending
        if session.status.id is None or (pending is not None and pending.role == Role.MODEL.value):
            return await self._register(session, target)
        return await self._keep(session, target)

    async def _own_group(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> str | Outcome:
        """Return the group that is this model's alone; never the public, ownerless one the server makes."""
        status = session.status
        if status.owned_group and status.model_group_id:
            return status.model_group_id
        body = model_body.group_body(session.snapshot, spec)
        created = await self._creation.run(
            session,
            resolved.client,
            role=Role.GROUP,
            revision=model_body.REVISION,
            hash_=digest(body),
            post=lambda: resolved.client.create_group(body),
        )
        if isinstance(created, Outcome):
            return created
        await session.record(
            model_group_id=created.id, owned_group=True, connection=resolved.connection, pending=None
        )
        self._creation.forget(session.snapshot.uid)
        return created.id

    async def _register(self, session: Session[RemoteModelStatus], target: _Target) -> Outcome:
        """Register, and record the id and the task with the intent of the deployment that follows."""
        key, resolved = session.snapshot.key, target.resolved
        if not resolved.registers.try_enter(key, target.body["model_group_id"]):
            return Outcome(requeue_after=_PARKED)
        try:
            created = await self._creation.run(
                session,
                resolved.client,
                role=Role.MODEL,
                revision=model_body.REVISION,
                hash_=target.spec_hash,
                post=lambda: resolved.client.register_model(model_body.register_body(target.body)),
            )
        finally:
            resolved.registers.leave(key)
        if isinstance(created, Outcome):
            return created
        await self._registered(session, target, created)
        for surplus in created.surplus:
            await resolved.client.delete_model(surplus)
        if not self._creation.is_fresh(session):
            return Outcome(requeue_after=0)
        return await self._deploy(session, target, undeploy_first=False)

    async def _registered(
        self, session: Session[RemoteModelStatus], target: _Target, created: Created
    ) -> None:
        session.event("Registered", f"Registered in OpenSearch as {created.id}.")
        changes: dict[str, Any] = {
            "id": created.id,
            "connection": target.resolved.connection,
            "connector_id": target.body["connector_id"],
            "model_group_id": target.body["model_group_id"],
            "spec_hash": None if created.found else target.spec_hash,
            "tasks": model_status.started(
                session.status.tasks, "Register", created.task_id, now=session.now, state="COMPLETED"
            ),
        }
        facts = (*_synced(), _deploying())
        if created.found or not target.spec.deploy:
            await session.record(*facts, pending=None, **changes)
            self._creation.forget(session.snapshot.uid)
        else:
            await self._creation.intend_role(session, Role.DEPLOY, *facts, **changes)

    async def _keep(self, session: Session[RemoteModelStatus], target: _Target) -> Outcome:
        """Look at the model and do what the plan says."""
        observed = await self._observe(session, target)
        if observed is None:
            return await self._lost(session)
        source = observed.source
        seen = await self._seen(session, target, source)
        budget = model_status.budget(
            target.spec.healing, None if session.asked else session.status.healing, now=self._ports.now()
        )
        wanted = Wanted(
            deploy=target.spec.deploy,
            rests=target.spec.deploy_setting.ttl_minutes >= 0
            and target.spec.deploy_setting.auto_deploy_enabled,
            stuck_after=seconds(target.spec.healing.stuck_after),
        )
        step = model_plan.plan(wanted, seen, self._intent(session), budget)
        if isinstance(step, IntendDeploy):
            healed = {
                "healing": model_status.attempted(session.status.healing, budget, now=self._ports.now())
            }
            await self._creation.intend_role(
                session,
                Role.DEPLOY,
                *_synced(),
                step.fact,
                state=seen.state,
                **(healed if step.healing else {}),
            )
            step = Deploy()
        match step:
            case Update(body):
                return await self._update(session, target, body)
            case Deploy():
                failed = seen.state == model_plan.DEPLOY_FAILED
                return await self._deploy(session, target, undeploy_first=failed)
            case Undeploy():
                await target.resolved.client.undeploy_model(session.status.id or "")
                session.event("Undeployed", "Undeployed, as the spec says.")
                return Outcome(requeue_after=model_plan.POLLS[0])
            case Look(fact, after, slot):
                return await self._look_again(session, target, source, seen, Look(fact, after, slot))
            case Rest(fact):
                return await self._rest(session, target, source, fact)

    async def _observe(self, session: Session[RemoteModelStatus], target: _Target) -> Hit | None:
        """Read the model: in a batch while it is at rest, by GET while something is going on."""
        status = session.status
        ready = find(status.conditions, ConditionType.READY)
        at_rest = (
            ready is not None
            and ready.status == "True"
            and status.pending is None
            and status.spec_hash == target.spec_hash
            and not session.asked
        )
        client = target.resolved.client
        if at_rest:
            max_age = managed.freshness(target.spec.resync_interval)
            return await client.observe("model", status.id or "", max_age=max_age)
        return await client.get_model(status.id or "")

    async def _seen(
        self, session: Session[RemoteModelStatus], target: _Target, source: Mapping[str, Any]
    ) -> Seen:
        state = str(source.get("model_state", ""))
        watch = self._watches.see(session.snapshot.uid, state)
        counts = model_status.workers(source)
        error = None
        if state == model_plan.DEPLOY_FAILED and session.status.tasks:
            error = await self._task_error(session, target)
        return Seen(
            state=state,
            planned=counts.planned,
            current=counts.current,
            same_for=watch.same_for,
            polls=watch.polls,
            difference=model_body.difference(target.body, source),
            task_error=error,
        )

    async def _task_error(self, session: Session[RemoteModelStatus], target: _Target) -> str | None:
        task = model_status.running(session.status.tasks)
        if task is None:
            return next((t.error for t in reversed(session.status.tasks) if t.type == "Deploy"), None)
        document = await target.resolved.client.get_task(task.id)
        error = (document or {}).get("error")
        return f"The deployment failed: {error}"[:500] if error else None

    def _intent(self, session: Session[RemoteModelStatus]) -> Intent | None:
        pending = session.status.pending
        if pending is None or pending.role != Role.DEPLOY.value:
            return None
        return Intent(
            fresh=self._creation.is_fresh(session), unresolved_for=self._creation.unresolved_for(session)
        )

    async def _deploy(
        self, session: Session[RemoteModelStatus], target: _Target, *, undeploy_first: bool
    ) -> Outcome:
        """Send the deploy once and record its task before anything waits for it."""
        key, client, model_id = session.snapshot.key, target.resolved.client, session.status.id or ""
        if not target.resolved.deploys.try_enter(key, model_id):
            return Outcome(requeue_after=_PARKED)
        if undeploy_first:
            # A failed deploy leaves an entry behind that answers every later one with "Duplicate deploy model
            # task"; undeploy clears it (ml-commons `MLModelManager`, seen on 2.19 and 3.6).
            await client.undeploy_model(model_id)
        self._creation.use(session)
        self._watches.restart(session.snapshot.uid)
        try:
            task_id = await client.deploy_model(model_id)
        except MLError as error:
            if error.code.effect_unknown:
                return Outcome(requeue_after=1.0)
            target.resolved.leave(key)
            self._creation.forget(session.snapshot.uid)
            await session.record(*_synced(), _not_deployed(error), pending=None)
            return Outcome(retry=True)
        tasks = model_status.started(
            session.status.tasks, "Deploy", task_id, now=session.now, state="RUNNING"
        )
        await session.record(*_synced(), _deploying(), tasks=tasks)
        return Outcome(requeue_after=model_plan.POLLS[0])

    async def _update(
        self, session: Session[RemoteModelStatus], target: _Target, body: Mapping[str, Any]
    ) -> Outcome:
        """Change in place; a loaded model follows a new connector without a failed prediction."""
        client, model_id = target.resolved.client, session.status.id or ""
        if self._watches.repeated(session.snapshot.uid, digest(body)) > _DRIFT_LIMIT:
            words = f"{', '.join(sorted(body))} is changed back every time. Find out who or what does it."
            await session.record(
                true(ConditionType.REFERENCES_RESOLVED), false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words)
            )
            return Outcome(requeue_after=managed.NET)
        new_connector = body.get("connector_id")
        if new_connector is not None and await client.get_connector(new_connector) is None:
            # The server would accept the missing id, and go on serving the old one without a word.
            words = f"Connector {new_connector} does not exist in OpenSearch."
            await session.record(false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTOR_NOT_FOUND, words))
            return Outcome(retry=True)
        await client.update_model(model_id, body)
        drifted = session.status.spec_hash == target.spec_hash
        session.event("DriftCorrected" if drifted else "Updated", f"Changed {', '.join(sorted(body))}.")
        await session.record(
            spec_hash=target.spec_hash,
            connector_id=target.body["connector_id"],
            model_group_id=target.body["model_group_id"],
        )
        return Outcome(requeue_after=0)

    async def _look_again(
        self,
        session: Session[RemoteModelStatus],
        target: _Target,
        source: Mapping[str, Any],
        seen: Seen,
        look: Look,
    ) -> Outcome:
        """Wait. A running deployment costs no write; a bad state is shown."""
        if look.slot and session.status.pending is not None:
            return Outcome(requeue_after=look.after)
        changes: dict[str, Any] = {"state": seen.state, "workers": model_status.workers(source)}
        if not look.slot:
            target.resolved.leave(session.snapshot.key)
            self._creation.forget(session.snapshot.uid)
            changes["pending"] = None
            changes["tasks"] = model_status.finished(
                session.status.tasks, now=session.now, state="FAILED", error=seen.task_error
            )
        await session.record(*_synced(), look.fact, **changes)
        return Outcome(requeue_after=look.after)

    async def _rest(
        self, session: Session[RemoteModelStatus], target: _Target, source: Mapping[str, Any], fact: Fact
    ) -> Outcome:
        """Show that all is well."""
        target.resolved.leave(session.snapshot.key)
        self._creation.forget(session.snapshot.uid)
        self._watches.settled(session.snapshot.uid)
        version = source.get("model_version")
        await session.record(
            *_synced(),
            fact,
            pending=None,
            state=str(source.get("model_state", "")),
            workers=model_status.workers(source),
            model_version=None if version is None else str(version),
            connector_id=target.body["connector_id"],
            model_group_id=target.body["model_group_id"],
            spec_hash=target.spec_hash,
            tasks=model_status.finished(session.status.tasks, now=session.now, state="COMPLETED"),
        )
        return Outcome(requeue_after=managed.resync(target.spec.resync_interval))

    async def _lost(self, session: Session[RemoteModelStatus]) -> Outcome:
        """Forget the id of a model that the server says is not there, and begin again."""
        words = f"Model {session.status.id} has been deleted in OpenSearch; registering it again."
        session.event("ExternalIDChanged", words, warning=True)
        self._creation.forget(session.snapshot.uid)
        await session.record(
            true(ConditionType.REFERENCES_RESOLVED),
            false(ConditionType.SYNCED, Reason.CREATING, words),
            false(ConditionType.REGISTERED, Reason.REGISTER_TASK_RUNNING, words),
            false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_RUNNING, words),
            id=None,
            pending=None,
            state=None,
            workers=None,
            spec_hash=None,
        )
        return Outcome(requeue_after=0)


def _synced() -> tuple[Fact, ...]:
    return (
        true(ConditionType.REFERENCES_RESOLVED),
        true(ConditionType.SYNCED),
        true(ConditionType.REGISTERED),
    )


def _deploying() -> Fact:
    return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_RUNNING, "Deploying the model.")


def _not_deployed(error: MLError) -> Fact:
    if error.code is MLCode.REJECTED and "eligible" in error.message:
        words = f"{error.message}. See plugins.ml_commons.task_dispatcher.eligible_node_role.remote_model."
        return false(ConditionType.DEPLOYED, Reason.NO_ELIGIBLE_NODES, words)
    refused = refusal.fact(error, doing="deploy the model")
    return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_FAILED, refused.message, stalled=refused.stalled)
