"""A RemoteModel of which nothing may be changed: what would be changed is shown, deployment included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...constants import ConditionType, Reason
from ...models.common import PendingChange
from ...models.model import RemoteModelSpec, RemoteModelStatus
from .. import adoption, holding, managed, states
from ..conditions import Fact, find, true
from ..holding import Hold
from ..outcome import Outcome
from ..session import Session
from . import bodies, computed
from .internal_connector import FIELD, Internal
from .plan import Budget, IntendDeploy, Look, Rest, Seen, plan
from .references import Resolved, known_group
from .target import Target, wanted
from .watch import Watches

_BAD_POLL = 30.0
"""Seconds between looks at a model in a bad state, which the server may heal by itself."""
_FREE = Budget(enabled=True, exhausted=False, wait=0.0, attempts=0)
"""What would be done, however often it was tried."""


class ModelHolding:
    """Looks at models; sends nothing but reads, and no prediction either: that may deploy a model."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    async def look(
        self,
        session: Session[RemoteModelStatus],
        spec: RemoteModelSpec,
        resolved: Resolved,
        internal: Internal | None,
        hold: Hold,
    ) -> Outcome:
        """Compare, and change nothing. An intent to deploy stands until changes may be made again."""
        status, interval = session.status, spec.resync_interval
        group_id = known_group(status, resolved)
        body = bodies.desired(
            session.snapshot, spec, connector_id=resolved.connector_id, group_id=group_id or ""
        )
        if group_id is None:
            body.pop("model_group_id")  # it would get a group of its own
        target = Target(spec, resolved, body, internal)
        content = body if internal is None else {**body, FIELD: internal.content}
        references = true(ConditionType.REFERENCES_RESOLVED)
        if status.id is None:
            return await holding.nothing_yet(session, hold, content, references, interval=interval)
        last = find(status.conditions, ConditionType.DEPLOYED)
        well = last is not None and last.status == "True"
        max_age = holding.max_age(session, interval) if well else 0.0
        observed = await resolved.client.observe("model", status.id, max_age=max_age)
        if observed is None:
            return await holding.gone(session, hold, content, references, interval=interval)
        source = adoption.seen(session.snapshot, observed.plain)
        applied, once_set = status.spec_hash in {None, target.spec_hash}, status.extra_fields or ()
        different = target.difference(source, applied=applied, once_set=once_set)
        over = target.leftover(source, once_set)
        found = target.pending(different, over, source, mask=session.ports.mask)
        deployed, deployment, after = self._deployment(session, spec, source)
        found = (*deployment, *found)
        session.differs(found)
        await session.record(
            references,
            holding.synced(hold, found),
            true(ConditionType.REGISTERED),
            deployed,
            *_health(session),
            **resolved.on_record,
            state=str(source.get("model_state", "")),
            workers=computed.workers(source),
        )
        waits = (managed.resync(interval), after)
        return Outcome(requeue_after=min((wait for wait in waits if wait is not None), default=None))

    def _deployment(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, source: Mapping[str, Any]
    ) -> tuple[Fact, tuple[PendingChange, ...], float | None]:
        """Return what to show of the deployment, what would be changed, and when to look again."""
        state = str(source.get("model_state", ""))
        watch = self._watches.see(session.snapshot.uid, state)
        counts = computed.workers(source)
        seen = Seen(
            state=state,
            planned=counts.planned,
            current=counts.current,
            same_for=watch.same_for,
            polls=watch.polls,
            difference={},
        )
        match plan(wanted(spec), seen, None, _FREE):
            case Rest(fact):
                return fact, (), None
            case Look(fact, after):
                return fact, (), after
            case IntendDeploy(_, fact):
                pending = PendingChange(path="model_state", from_=state, to=states.DEPLOYED)
                return replace(fact, stalled=True), (pending,), _BAD_POLL
            case _:
                fact = true(ConditionType.DEPLOYED, f"{state}, which it should not be, as the spec says.")
                pending = PendingChange(path="model_state", from_=state, to=states.UNDEPLOYED)
                return fact, (pending,), None


def _health(session: Session[RemoteModelStatus]) -> tuple[Fact, ...]:
    """Return what the last probe has shown: it is as true as before."""
    last = find(session.status.conditions, ConditionType.HEALTHY)
    if last is None or last.reason not in set(Reason):
        return ()
    healthy = last.status == "True"
    return (Fact(ConditionType.HEALTHY, healthy, Reason(last.reason), last.message, stalled=not healthy),)
