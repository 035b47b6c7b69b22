"""Tries a new connector before the models are moved to it: with a model of its own, and with their probes.

OpenSearch calls no connector without a model (`MLExecuteConnectorAction` has no REST handler in 2.19 and
3.6). So a temporary model is registered on it, by the create protocol, in a temporary group, deployed, and
sent what the probes of the models send. Only when all of them are answered as expected is the connector
taken: no prediction of a user's ever meets a wrong credential. The temporary model is removed as soon as
there is nothing to be learned from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.connector import Candidate, MLConnectorStatus, Trial
from ...models.probe import Probe
from .. import managed, states
from ..conditions import Fact, false
from ..creation.protocol import Role, describe, marker
from ..creation.steps import Creation
from ..outcome import Outcome
from ..ports import Gate, GateName, MLCommons
from ..probe.plan import pause_after
from ..probe.verdict import UNUSABLE, Verdict, of_answer, of_error
from ..records import digest
from ..session import Ports, Session
from .target import Wanted, resolved
from .users import fingerprint

_POLL = 0.2
_SLOW_POLL = 2.0
_PATIENCE = 10.0
"""Seconds after which a deployment that shows no effect is asked for again."""
_STUCK = 60.0
"""Seconds after which one that is under way is."""
_NAME = 150
"""Characters of the connector's name that get into those of the trial: the server searches in 256."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """The last failure of one candidate with the same probes."""

    what: str
    at: float
    failures: int
    requested: str | None
    kind: str
    fact: Fact


class Trials:
    """The trials of all connectors; what is remembered by uid spares predictions and writes, no more."""

    def __init__(self, ports: Ports, creation: Creation) -> None:
        self._ports = ports
        self._creation = creation
        self._tried: dict[str, _Tried] = {}
        self._deployed_at: dict[str, float] = {}

    def forget(self, uid: str) -> None:
        """Forget a connector whose trial is over, or that is gone."""
        self._tried.pop(uid, None)
        self._deployed_at.pop(uid, None)

    async def run(
        self,
        session: Session[MLConnectorStatus],
        wanted: Wanted,
        candidate: Candidate,
        probes: tuple[Probe, ...],
    ) -> Outcome | None:
        """Take the next step; None when the candidate has answered all probes.

        A failure is shown and tried again with a growing pause: the provider's outage is no wrong key.
        """
        uid = session.snapshot.uid
        what = digest([candidate.id, sorted(map(fingerprint, probes))])
        last = self._tried.get(uid)
        if last is not None and last.what == what and last.requested == session.snapshot.requested_at:
            left = last.at + pause_after(last.failures) - self._ports.monotonic()
            if left > 0:
                return Outcome(requeue_after=left)
        model_id = await self._model(session, wanted, candidate)
        if isinstance(model_id, Outcome):
            return model_id
        waiting = await self._deployed(session, wanted, model_id)
        if waiting is not None:
            return waiting
        verdict = await self._predict(session, wanted, model_id, probes)
        if verdict is None:
            return Outcome(requeue_after=managed.PARKED)
        if verdict.fact.holds is True:
            self.forget(uid)
            return None
        same = last is not None and last.what == what
        made = _Tried(
            what=what,
            at=self._ports.monotonic(),
            failures=last.failures + 1 if last is not None and same else 1,
            requested=session.snapshot.requested_at,
            kind=verdict.kind,
            # Of two failures that tell a user the same the first is shown: new words alone are no news.
            fact=last.fact if last is not None and same and last.kind == verdict.kind else verdict.fact,
        )
        self._tried[uid] = made
        words = f"Connector {candidate.id} was tried and is not used; models stay with {session.status.id}."
        await session.record(
            *resolved(), false(ConditionType.SYNCED, made.fact.reason, f"{words} {made.fact.message}")
        )
        return Outcome(requeue_after=pause_after(made.failures))

    async def clear(self, session: Session[MLConnectorStatus], client: MLCommons) -> Outcome | None:
        """Take the next step to remove model and group of a trial; None when nothing is left of one."""
        pending, trial = session.status.pending, session.status.trial
        announced = pending is not None and pending.role in {Role.MODEL.value, Role.GROUP.value}
        if trial is None and not announced:
            return None
        if trial is None:
            trial = Trial(revision=pending.revision if pending is not None else 1)
        ids = {Role.MODEL: trial.model_id, Role.GROUP: trial.model_group_id}
        for role in (Role.MODEL, Role.GROUP):
            if pending is None or pending.role != role.value:
                continue
            settled = await self._creation.settle(session, client, role=role, revision=pending.revision)
            if isinstance(settled, Outcome):
                return settled
            ids[role] = settled.id if settled is not None else ids[role]
        waiting = await self._remove_model(session, client, ids[Role.MODEL], trial.revision)
        waiting = waiting or await self._remove_group(session, client, ids[Role.GROUP], trial.revision)
        if waiting is not None:
            return waiting
        self.forget(session.snapshot.uid)
        self._creation.forget(session.snapshot.uid)
        await session.record(trial=None, pending=None)
        return None

    async def _model(
        self, session: Session[MLConnectorStatus], wanted: Wanted, candidate: Candidate
    ) -> str | Outcome:
        """Return the id of the temporary model; its group comes first."""
        trial = session.status.trial or Trial(revision=candidate.revision)
        if trial.model_id is not None:
            return trial.model_id
        client, key, uid = wanted.client, session.snapshot.key, session.snapshot.uid
        name = str(wanted.content["name"])[:_NAME]
        gate = self._gate(wanted, "register")
        if trial.model_group_id is None:
            token = marker(uid, Role.GROUP, candidate.revision)
            group = {"name": f"{name} {token}", "description": token}
            made = await self._creation.run(
                session,
                client,
                role=Role.GROUP,
                revision=candidate.revision,
                hash_=candidate.id,
                post=lambda: client.create_group(group),
                reason=Reason.SWAPPING,
                with_intent={"trial": trial},
            )
            if isinstance(made, Outcome):
                return made
            trial = trial.model_copy(update={"model_group_id": made.id})
            await session.record(trial=trial, pending=None)
        if not gate.try_enter(key, trial.model_group_id or ""):
            return Outcome(requeue_after=managed.PARKED)
        body = {
            "name": f"{name} trial",
            "description": describe("Tries a connector.", marker(uid, Role.MODEL, candidate.revision)),
            "function_name": "remote",
            "connector_id": candidate.id,
            "model_group_id": trial.model_group_id,
            # It must not come back by a call while it is being removed.
            "deploy_setting": {"is_auto_deploy_enabled": False, "model_ttl_minutes": -1},
        }
        try:
            made = await self._creation.run(
                session,
                client,
                role=Role.MODEL,
                revision=candidate.revision,
                hash_=candidate.id,
                post=lambda: client.register_model(body),
                reason=Reason.SWAPPING,
            )
        finally:
            gate.leave(key)
        if isinstance(made, Outcome):
            return made
        await session.record(trial=trial.model_copy(update={"model_id": made.id}), pending=None)
        return made.id

    async def _deployed(
        self, session: Session[MLConnectorStatus], wanted: Wanted, model_id: str
    ) -> Outcome | None:
        """Deploy the temporary model; None when it is. Its state shows all that there is to remember."""
        client, key, uid = wanted.client, session.snapshot.key, session.snapshot.uid
        gate = self._gate(wanted, "deploy")
        model = await client.get_model(model_id)
        if model is None:
            trial = session.status.trial
            await session.record(trial=trial and trial.model_copy(update={"model_id": None}))
            return Outcome(retry=True)
        state = str(model.source.get("model_state", ""))
        if state in {states.DEPLOYED, states.PARTIALLY_DEPLOYED}:
            gate.leave(key)
            self._deployed_at.pop(uid, None)
            return None
        now = self._ports.monotonic()
        deploying = state == states.DEPLOYING
        since = now - (self._deployed_at.setdefault(uid, now) if deploying else self._sent_at(uid))
        if since < (_STUCK if deploying else _PATIENCE) and state != states.DEPLOY_FAILED:
            return Outcome(requeue_after=_POLL if since < _PATIENCE else _SLOW_POLL)
        if not gate.try_enter(key, model_id):
            return Outcome(requeue_after=managed.PARKED)
        if state == states.DEPLOY_FAILED:
            await client.undeploy_model(model_id)  # otherwise every later deploy is a "duplicate"
        self._deployed_at[uid] = now
        try:
            await client.deploy_model(model_id)
        except MLError:
            gate.leave(key)
            raise
        return Outcome(retry=True) if state == states.DEPLOY_FAILED else Outcome(requeue_after=_POLL)

    async def _predict(
        self,
        session: Session[MLConnectorStatus],
        wanted: Wanted,
        model_id: str,
        probes: tuple[Probe, ...],
    ) -> Verdict | None:
        """Return the first failure, or the last success; None while too many others are probed."""
        gate, key = self._gate(wanted, "probe"), session.snapshot.key
        if not gate.try_enter(key, model_id):
            return None
        verdict: Verdict | None = None
        try:
            for probe in probes:
                verdict = await self._one(wanted.client, model_id, probe)
                if verdict.fact.holds is not True:
                    break
        finally:
            gate.leave(key)
        return verdict

    async def _one(self, client: MLCommons, model_id: str, probe: Probe) -> Verdict:
        try:
            answer = await client.predict(model_id, probe.request or {})
        except MLError as error:
            if error.code in UNUSABLE:
                raise
            return of_error(error, self._ports.mask)
        return of_answer(answer, probe.expect)

    async def _remove_model(
        self, session: Session[MLConnectorStatus], client: MLCommons, model_id: str | None, revision: int
    ) -> Outcome | None:
        model = await client.get_model(model_id) if model_id is not None else None
        if model is None:
            model = await managed.absent(session, client, role=Role.MODEL, revision=revision)
        if model is None:
            return None
        state = model.source.get("model_state")
        since = self._ports.monotonic() - self._sent_at(session.snapshot.uid)
        if state == states.DEPLOYING and since < _PATIENCE:
            return Outcome(requeue_after=_POLL)  # an undeploy in the middle of a deploy does not stick
        if state in states.LOADED:
            await client.undeploy_model(model.id)
            return Outcome(requeue_after=_POLL)
        try:
            await client.delete_model(model.id)
        except MLError as error:
            if error.code is not MLCode.BUSY:
                raise
            return Outcome(requeue_after=managed.DELETE_POLL)
        client.forget("model", model.id)
        return Outcome(requeue_after=0)

    async def _remove_group(
        self, session: Session[MLConnectorStatus], client: MLCommons, group_id: str | None, revision: int
    ) -> Outcome | None:
        if group_id is None:
            left = await managed.absent(session, client, role=Role.GROUP, revision=revision)
            group_id = left.id if left is not None else None
        if group_id is None:
            return None
        remover = managed.Remover(get=client.get_group, delete=client.delete_group)
        return None if await remover.remove(group_id) else Outcome(requeue_after=managed.DELETE_POLL)

    def _sent_at(self, uid: str) -> float:
        return self._deployed_at.get(uid, float("-inf"))

    def _gate(self, wanted: Wanted, name: GateName) -> Gate:
        return self._ports.pool.gate(wanted.connection, name)
