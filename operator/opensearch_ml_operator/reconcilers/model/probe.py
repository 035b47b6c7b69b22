"""Probes models: sends what is due by `probe.plan`, and remembers what came of it.

The result is remembered before it is written: when a status write fails, nobody predicts again for that. Only
a process that dies in between lets the next one probe once more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...constants import ConditionType, Reason
from ...errors import MLError
from ...models.model import RemoteModelStatus
from ...models.probe import Probe, ProbeStatus
from ..conditions import Fact, find
from ..probe.plan import Known, healthy, wait
from ..probe.verdict import UNUSABLE, Verdict, of_answer, of_error
from ..records import digest
from ..session import Ports, Session
from .target import Target


@dataclass(frozen=True, slots=True)
class Probed:
    """What is to be shown of a model's probe."""

    facts: tuple[Fact, ...] = ()
    """None or one."""
    status: ProbeStatus | None = None
    latest: ProbeStatus | None = None
    """To be written when something else is written too."""
    after: float | None = None
    """Seconds until the next probe."""

    @property
    def without(self) -> tuple[ConditionType, ...]:
        """The conditions that say nothing any more."""
        return () if self.facts else (ConditionType.HEALTHY,)


@dataclass(frozen=True, slots=True)
class _Last:
    """The last probe of one model: `fact` is what it made of the model's health, `at` monotonic."""

    hash: str
    at: float
    failures: int
    requested: str | None
    fact: Fact
    kind: str
    status: ProbeStatus


class Probes:
    """The last probes of all models, by uid."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._last: dict[str, _Last] = {}

    def forget(self, uid: str) -> None:
        """Forget a model that is gone, or whose deployment begins anew."""
        self._last.pop(uid, None)

    def is_due(self, session: Session[RemoteModelStatus], target: Target) -> bool:
        """Whether the model is to be probed. Look first: a prediction deploys what is not deployed."""
        probe = _applicable(target)
        if probe is None:
            return False
        return wait(probe, self._known(session, self._recall(session, target))) == 0

    async def run(
        self, session: Session[RemoteModelStatus], target: Target, *, deployed: bool, probing: bool
    ) -> Probed | None:
        """Return what there is to show, after a probe if told so; None while too many others are probed.

        A model that is not `deployed` is let rest. Raises MLError when OpenSearch itself cannot be used.
        """
        key, gate = session.snapshot.key, target.resolved.probes
        probe = _applicable(target)
        if probe is None:
            self.forget(session.snapshot.uid)
            gate.leave(key)
            return Probed()
        last = self._recall(session, target)
        if deployed and probing:
            if not gate.try_enter(key, session.status.id or ""):
                return None
            try:
                last = await self._probe(session, target, probe, last)
            finally:
                gate.leave(key)
        if last is None:
            return Probed(status=session.status.probe)
        status = last.status if _is_news(session, last) else session.status.probe
        after = wait(probe, self._known(session, last)) if deployed else None
        return Probed(facts=(last.fact,), status=status, latest=last.status, after=after)

    async def _probe(
        self, session: Session[RemoteModelStatus], target: Target, probe: Probe, last: _Last | None
    ) -> _Last:
        started = self._ports.monotonic()
        verdict = await self._predict(session, target, probe)
        ended = self._ports.monotonic()
        answered = verdict.fact.holds is True
        fact, kind = replace(verdict.fact, message=self._ports.mask(verdict.fact.message)), verdict.kind
        before = last.status if last is not None else session.status.probe
        last_success = before.last_success_time if before is not None else None
        status = ProbeStatus(
            last_time=session.now,
            last_success_time=session.now if answered else last_success,
            latency_ms=round((ended - started) * 1000),
            dimension=verdict.dimension,
            message=fact.message,
            hash=_hash(session, target),
        )
        if last is not None:
            holds_out = not answered and healthy(probe, self._known(session, last), answered=False)
            if holds_out or (kind, fact.reason) == (last.kind, last.fact.reason):
                fact, kind = last.fact, last.kind
        made = _Last(
            hash=_hash(session, target),
            at=ended,
            failures=0 if answered else (last.failures if last is not None else 0) + 1,
            requested=session.snapshot.requested_at,
            fact=fact,
            kind=kind,
            status=status,
        )
        self._last[session.snapshot.uid] = made
        return made

    async def _predict(self, session: Session[RemoteModelStatus], target: Target, probe: Probe) -> Verdict:
        try:
            answer = await target.resolved.client.predict(session.status.id or "", probe.request or {})
        except MLError as error:
            if error.code in UNUSABLE:
                raise
            return of_error(error, self._ports.mask)
        return of_answer(answer, probe.expect)

    def _known(self, session: Session[RemoteModelStatus], last: _Last | None) -> Known | None:
        if last is None:
            return None
        return Known(
            healthy=last.fact.holds is True,
            failures=last.failures,
            since=self._ports.monotonic() - last.at,
            asked=session.snapshot.requested_at not in {None, last.requested},
        )

    def _recall(self, session: Session[RemoteModelStatus], target: Target) -> _Last | None:
        """Return the last probe of what is there now, after a restart as the status tells it."""
        uid, hash_ = session.snapshot.uid, _hash(session, target)
        last = self._last.get(uid)
        if last is None or last.hash != hash_:
            last = self._stored(session, hash_)
        if last is not None:
            self._last[uid] = last
        return last

    def _stored(self, session: Session[RemoteModelStatus], hash_: str) -> _Last | None:
        """Read a verdict from the status. When it was found is not known: the pause begins anew."""
        status = session.status.probe
        condition = find(session.status.conditions, ConditionType.HEALTHY)
        if status is None or status.hash != hash_ or condition is None or condition.reason not in set(Reason):
            return None
        holds = condition.status == "True"
        fact = Fact(ConditionType.HEALTHY, holds, Reason(condition.reason), condition.message)
        return _Last(
            hash=hash_,
            at=self._ports.monotonic(),
            failures=0 if holds else 1,
            requested=session.status.last_handled_reconcile_at,
            fact=fact,
            kind="",
            status=status,
        )


def _applicable(target: Target) -> Probe | None:
    """Return the probe of a model that is meant to be called."""
    spec = target.spec
    wanted = spec.probe is not None and spec.probe.request is not None and spec.deploy and spec.enabled
    return spec.probe if wanted else None


def _hash(session: Session[RemoteModelStatus], target: Target) -> str:
    return digest([session.status.id, session.snapshot.generation, target.called])


def _is_news(session: Session[RemoteModelStatus], last: _Last) -> bool:
    """Whether a probe shows something that the status does not: a new time alone is not worth a write."""
    stored, condition = session.status.probe, find(session.status.conditions, ConditionType.HEALTHY)
    if stored is None or condition is None or stored.hash != last.hash:
        return True
    shown = (condition.status == "True", condition.reason, condition.message)
    if shown != (last.fact.holds, last.fact.reason.value, last.fact.message):
        return True
    return last.failures == 0 and stored.dimension != last.status.dimension
