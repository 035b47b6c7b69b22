"""RemoteModel: register once, deploy, keep deployed, follow the connector.

One effect a run, and its record before the next. The plan for a registered model is in `plan.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLError
from ...models.model import RemoteModelSpec, RemoteModelStatus
from ...models.snapshot import Snapshot
from .. import adoption, holding, managed, references, releases, states
from ..conditions import Fact, false, find, true
from ..corrections import LIMIT, Corrections
from ..creation.protocol import Role
from ..creation.steps import Creation
from ..outcome import Outcome
from ..ports import Hit
from ..records import digest
from ..rests import Rests
from ..session import Ports, Session
from . import bodies, computed, internal_connector, own_group, rejoin
from .deployment import Deployment
from .export import AGAIN, ModelExport
from .holding import ModelHolding
from .internal_connector import Internal
from .plan import Deploy, IntendDeploy, Intent, Look, Rest, Seen, Undeploy, Update, plan, unload
from .probe import Probes
from .references import Resolved, known_group, resolve
from .registration import Registration
from .removal import ModelRemoval, is_loaded
from .target import Target, deployment, is_all_known, is_down, is_kept_down, synced
from .watch import Watches


class ModelReconciler:
    """Brings one model to what its spec says, and keeps it there."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._creation = Creation()
        self._watches = Watches(ports.monotonic)
        self._corrections = Corrections(ports.monotonic)
        self._probes = Probes(ports)
        self._export = ModelExport(ports)
        self._registration = Registration(self._creation)
        self._deployment = Deployment(self._creation, self._watches, self._corrections)
        self._holding = ModelHolding(self._watches)
        self._removal = ModelRemoval(ports, self._creation, self._watches)
        self._rests = Rests(ports, "model")

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Take the next step."""
        at_rest = await self._rests.same(snapshot)
        if at_rest is not None:
            return at_rest
        session = Session(self._ports, snapshot, RemoteModelStatus)
        spec = bodies.parse(snapshot.spec)
        if isinstance(spec, Fact):
            self._leave(snapshot)
            await session.record(spec)
            return Outcome()
        resolved = resolve(self._ports, snapshot, spec)
        if not isinstance(resolved, Resolved):
            self._leave(snapshot)
            return await managed.unconnected(session, resolved)
        try:
            return await self._advance(session, spec, resolved)
        except MLError as error:
            resolved.leave(snapshot.key)
            return await managed.refused(session, error, doing="bring the model up to date")

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Take the next step towards removal."""
        self._leave(snapshot)
        self._rests.forget(snapshot.uid)
        live = await managed.live(self._ports, snapshot)
        outcome = await self._removal.run(live) if live is not None else Outcome(finalized=True)
        if outcome.finalized:
            self._creation.forget(snapshot.uid)
            self._watches.forget(snapshot.uid)
            self._corrections.forget(snapshot.uid)
            self._probes.forget(snapshot.uid)
        return outcome

    def _leave(self, snapshot: Snapshot) -> None:
        managed.leave_gates(self._ports, snapshot, references.used_connection(self._ports, snapshot))

    async def _advance(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> Outcome:
        newer = releases.refused(self._ports, session.snapshot, resolved.connection)
        if newer is not None:
            self._leave(session.snapshot)
            await session.record(true(ConditionType.REFERENCES_RESOLVED), newer)
            return Outcome(requeue_after=managed.resync(spec.resync_interval))
        waiting = await self._adopt(session, spec, resolved)
        if waiting is not None:
            self._leave(session.snapshot)
            return waiting
        internal = await internal_connector.resolve(session, spec, resolved)
        if isinstance(internal, Outcome):
            self._leave(session.snapshot)
            return internal
        hold = holding.of(spec)
        if hold is not None:
            self._leave(session.snapshot)
            return await self._holding.look(session, spec, resolved, internal, hold)
        return await self._manage(session, spec, resolved, internal)

    async def _manage(
        self,
        session: Session[RemoteModelStatus],
        spec: RemoteModelSpec,
        resolved: Resolved,
        internal: Internal | None,
    ) -> Outcome:
        adopted = session.status.origin == "Adopted"
        group_id: str | Outcome | None = known_group(session.status, resolved) if adopted else None
        group_id = group_id or await self._registration.group(session, spec, resolved)
        if isinstance(group_id, Outcome):
            return group_id
        body = bodies.desired(
            session.snapshot,
            spec,
            connector_id=resolved.connector_id,
            group_id=group_id,
            held=resolved.held or is_down(session),
        )
        target = Target(spec, resolved, body, internal)
        pending = session.status.pending
        if session.status.id is None or (pending is not None and pending.role == Role.MODEL.value):
            waiting = await self._registration.register(session, target)
            if waiting is not None:
                return waiting
        if session.status.state is None and self._is_deploy_due(session) and not resolved.held:
            # Just registered: there is nothing to see yet.
            return await self._deployment.deploy(session, target)
        return await self._keep(session, target)

    async def _adopt(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> Outcome | None:
        """Take over the model that the spec names; its group is its own unless the spec has another."""

        def along(hit: Hit) -> Mapping[str, Any]:
            return {**resolved.on_record, "model_group_id": hit.source.get("model_group_id")}

        return await adoption.adopt(session, resolved.client, "model", spec, along=along)

    def _is_deploy_due(self, session: Session[RemoteModelStatus]) -> bool:
        pending = session.status.pending
        return pending is not None and pending.role == Role.DEPLOY.value and self._creation.is_fresh(session)

    async def _keep(self, session: Session[RemoteModelStatus], target: Target) -> Outcome:
        """Look at the model and do what the plan says."""
        probing = self._probes.is_due(session, target)
        observed = await self._observe(session, target, now=probing)
        if observed is None:
            return await self._lost(session, target)
        source = adoption.seen(session.snapshot, observed.plain)
        problem, difference = self._compare(session, target, source)
        seen = await self._seen(session, target, source, difference)
        budget = computed.budget(
            target.spec.healing, None if session.asked else session.status.healing, now=self._ports.now()
        )
        step = plan(deployment(session, target), seen, self._intent(session), budget)
        settled = is_kept_down(session, target) and isinstance(step, IntendDeploy | Rest)
        if settled and await is_loaded(target.resolved.client, session.status.id or ""):
            # A prediction has loaded it meanwhile, and its document does not say so (2.19, 3.6 seen).
            step = unload(seen)
        if isinstance(step, IntendDeploy):
            self._probes.forget(session.snapshot.uid)
            healed = {
                "healing": computed.attempted(session.status.healing, budget, now=self._ports.now()),
                "tasks": computed.finished(
                    session.status.tasks, now=session.now, state="FAILED", error=seen.task_error
                ),
            }
            await self._creation.intend_role(
                session,
                Role.DEPLOY,
                *synced(),
                step.fact,
                state=seen.state,
                probe=computed.unprobed(session.status.probe),
                **(healed if step.healing else {}),
                **(rejoin.resumed(session) if is_down(session) else {}),
            )
            step = Deploy()
        match step:
            case Update(body):
                return await self._deployment.update(session, target, body)
            case Deploy():
                refuses = seen.state == states.DEPLOY_FAILED or computed.is_refused(session.status.tasks)
                return await self._deployment.deploy(session, target, undeploy_first=refuses)
            case Undeploy():
                return await self._deployment.undeploy(session, target, step)
            case Look():
                return await self._look_again(session, target, source, seen, step)
            case Rest(fact):
                blocked = await self._export.keep(session, target.spec)
                facts = (*synced(problem or blocked), fact)
                rest = await self._rest(session, target, observed, facts, probing=probing)
                return rest if blocked is None else Outcome(requeue_after=AGAIN)

    async def _observe(self, session: Session[RemoteModelStatus], target: Target, *, now: bool) -> Hit | None:
        """Read the model: in a batch while it is at rest, by GET while something is going on."""
        status = session.status
        ready = find(status.conditions, ConditionType.READY)
        at_rest = (
            ready is not None
            and ready.status == "True"
            and status.pending is None
            and status.spec_hash == target.spec_hash
            and not session.asked
            and not now
        )
        client = target.resolved.client
        if at_rest:
            max_age = managed.freshness(target.spec.resync_interval)
            return await client.observe("model", status.id or "", max_age=max_age)
        return await client.get_model(status.id or "")

    def _compare(
        self, session: Session[RemoteModelStatus], target: Target, source: Mapping[str, Any]
    ) -> tuple[Fact | None, Mapping[str, Any]]:
        """Return what is to be changed in place; and the problem when that cannot be, or does not last."""
        status = session.status
        # Of one that was adopted, what is never shown counts as being so until the spec changes.
        taken = status.origin == "Adopted" and status.spec_hash is None
        applied = taken or status.spec_hash == target.spec_hash
        once_set = status.extra_fields or ()
        difference = target.difference(source, applied=applied, once_set=once_set)
        over = target.leftover(source, once_set)
        session.differs(target.pending(difference, over, source, mask=self._ports.mask))
        names = ", ".join(sorted(difference))
        if difference and self._corrections.count(session.snapshot.uid, digest(difference)) >= LIMIT:
            words = f"{names} is changed back every time. Find out who or what does it."
            return false(ConditionType.SYNCED, Reason.DRIFT_LOOP, words), {}
        if over:
            words = (
                f"OpenSearch cannot take {', '.join(over)} away from a model. Set it to what it should be, "
                "or make a new RemoteModel."
            )
            return false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True), difference
        return None, difference

    async def _seen(
        self,
        session: Session[RemoteModelStatus],
        target: Target,
        source: Mapping[str, Any],
        difference: Mapping[str, Any],
    ) -> Seen:
        state = str(source.get("model_state", ""))
        watch = self._watches.see(session.snapshot.uid, state)
        counts = computed.workers(source)
        task = computed.unexplained(session.status.tasks)
        error = None
        if state in {states.DEPLOY_FAILED, states.PARTIALLY_DEPLOYED} and task is not None:
            document = await target.resolved.client.get_task(task.id)
            words = (document or {}).get("error")
            error = self._ports.mask(f"The deployment failed: {words}")[:500] if words else None
        return Seen(
            state=state,
            planned=counts.planned,
            current=counts.current,
            same_for=watch.same_for,
            polls=watch.polls,
            difference=difference,
            task_error=error,
        )

    def _intent(self, session: Session[RemoteModelStatus]) -> Intent | None:
        pending = session.status.pending
        if pending is None or pending.role != Role.DEPLOY.value:
            return None
        return Intent(
            fresh=self._creation.is_fresh(session), unresolved_for=self._creation.unresolved_for(session)
        )

    async def _look_again(
        self,
        session: Session[RemoteModelStatus],
        target: Target,
        source: Mapping[str, Any],
        seen: Seen,
        look: Look,
    ) -> Outcome:
        """Wait. A running deployment costs no write; a bad state is shown."""
        if look.slot and session.status.pending is not None:
            return Outcome(requeue_after=look.after)
        changes: dict[str, Any] = {"state": seen.state, "workers": computed.workers(source)}
        if session.asked:
            changes["healing"] = None  # whoever asks grants a new budget, also for the looks after this
        if not look.slot:
            target.resolved.leave(session.snapshot.key)
            changes["tasks"] = computed.finished(
                session.status.tasks, now=session.now, state="FAILED", error=seen.task_error
            )
            if seen.state != states.REGISTERED:
                # There it shows that a deploy was sent: without it the next one would seem to be the first.
                self._creation.forget(session.snapshot.uid)
                changes["pending"] = None
        await session.record(*synced(), look.fact, **changes)
        return Outcome(requeue_after=look.after)

    async def _rest(
        self,
        session: Session[RemoteModelStatus],
        target: Target,
        observed: Hit,
        facts: tuple[Fact, ...],
        *,
        probing: bool,
    ) -> Outcome:
        """Probe if that is due. Show that all is well, or all but what the facts say."""
        source = adoption.seen(session.snapshot, observed.plain)
        target.resolved.leave(session.snapshot.key)
        if stale := rejoin.stale_part(session, target, source):
            return await self._deployment.send_again(session, target, stale, rejoin.deployed_at(source))
        state = str(source.get("model_state", ""))
        deployed = state == states.DEPLOYED
        probed = await self._probes.run(session, target, deployed=deployed, probing=probing)
        if probed is None:
            return Outcome(requeue_after=managed.PARKED)
        self._creation.forget(session.snapshot.uid)
        self._watches.forget(session.snapshot.uid)
        version = source.get("model_version")
        await session.record_rest(
            *facts,
            *probed.facts,
            without=probed.without,
            along={"probe": probed.latest or probed.status},
            pending=None,
            state=state,
            probe=probed.status,
            workers=computed.workers(source),
            **rejoin.on_record(session, target, source),
            model_version=None if version is None else str(version),
            **target.resolved.on_record,
            connector_id=target.resolved.connector_id,
            model_group_id=target.body["model_group_id"],
            spec_hash=target.spec_hash,
            extra_fields=bodies.extra_fields(target.spec, session.status, source),
            tasks=computed.finished(session.status.tasks, now=session.now, state="COMPLETED"),
        )
        leaving = await own_group.leave(session, target)
        if leaving is not None:
            return leaving
        waits = (managed.resync(target.spec.resync_interval), probed.after)
        outcome = Outcome(requeue_after=min((wait for wait in waits if wait is not None), default=None))
        if is_all_known(session, target) and all(fact.holds for fact in facts):
            self._rests.note(session, observed, outcome, interval=target.spec.resync_interval)
        return outcome

    async def _lost(self, session: Session[RemoteModelStatus], target: Target) -> Outcome:
        """Forget the id of a model that the server says is not there, and begin again."""
        waiting = await adoption.missing(session, target.spec.adopt)
        if waiting is not None:
            target.resolved.leave(session.snapshot.key)
            return waiting
        words = f"Model {session.status.id} has been deleted in OpenSearch; registering it again."
        session.event("ExternalIDChanged", words, warning=True)
        owned = session.status.owned_group_id
        if owned is not None and await target.resolved.client.get_group(owned) is None:
            owned = None
        self._creation.forget(session.snapshot.uid)
        await session.record(
            true(ConditionType.REFERENCES_RESOLVED),
            false(ConditionType.SYNCED, Reason.CREATING, words),
            false(ConditionType.REGISTERED, Reason.REGISTER_TASK_RUNNING, words),
            false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_RUNNING, words),
            id=None,
            owned_group_id=owned,
            pending=None,
            state=None,
            workers=None,
            last_deployed_at=None,
            connector_changed_at=None,
            spec_hash=None,
        )
        return Outcome(requeue_after=0)
