"""What one RemoteModel is to become, resolved, and the facts that its steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...constants import ConditionType, Reason
from ...models.common import PendingChange, seconds
from ...models.model import RemoteModelSpec, RemoteModelStatus
from ..conditions import Fact, false, find, true
from ..records import digest
from ..session import Session
from . import bodies
from .internal_connector import FIELD, Internal
from .plan import Wanted
from .references import Resolved


@dataclass(frozen=True, slots=True)
class Target:
    """The spec, its references followed, and the body that the server should show."""

    spec: RemoteModelSpec
    resolved: Resolved
    body: Mapping[str, Any]
    internal: Internal | None = None

    @property
    def spec_hash(self) -> str:
        """Changes with everything that is sent."""
        return digest(self.body if self.internal is None else [self.body, self.internal.revision])

    @property
    def called(self) -> str:
        """What the model calls: the id of a connector, or a mark that changes with its own one."""
        return self.resolved.connector_id or (self.internal.revision if self.internal else "")

    def register_request(self) -> dict[str, Any]:
        """Return the whole register request, credential and all."""
        own = {} if self.internal is None else {FIELD: self.internal.register_part()}
        return {**bodies.register_body(self.body), **own}

    def update_request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return an update with the credential that its connector needs."""
        own = self.internal.update_part() if self.internal is not None and FIELD in body else None
        return dict(body) if own is None else {**body, FIELD: own}

    def connector_part(self) -> dict[str, Any]:
        """Return the part of an update that has the nodes read the connector again."""
        return {FIELD: {}} if self.internal is not None else {"connector_id": self.resolved.connector_id}

    def difference(
        self, observed: Mapping[str, Any], *, applied: bool, once_set: Iterable[str]
    ) -> dict[str, Any]:
        """Return what is to be updated; `applied` when the server has taken all of it before."""
        unseen = self.spec.extra if applied else None
        own = {} if self.internal is None else self.internal.difference(observed, applied=applied)
        return bodies.difference(self.body, observed, unseen=unseen, once_set=once_set) | own

    def leftover(self, observed: Mapping[str, Any], extra_fields: Iterable[str]) -> tuple[str, ...]:
        """Return what is set on the server, not wanted, and not to be changed by an update."""
        own = () if self.internal is None else self.internal.leftover(observed)
        return (*bodies.leftover(self.body, observed, extra_fields), *own)

    def pending(
        self,
        difference: Mapping[str, Any],
        leftover: Iterable[str],
        observed: Mapping[str, Any],
        *,
        mask: Callable[[str], str],
    ) -> tuple[PendingChange, ...]:
        """Return a difference, and what is left over, field by field as people read it."""
        typed = {key: value for key, value in difference.items() if key != FIELD}
        over = [field for field in leftover if field.partition(".")[0] != FIELD]
        found = bodies.differences(typed, over, observed, mask=mask)
        if self.internal is None:
            return found
        return (*self.internal.pending(observed, sent=FIELD in difference, mask=mask), *found)


def wanted(spec: RemoteModelSpec) -> Wanted:
    """Return what the spec says about the deployment."""
    setting = spec.deploy_setting
    return Wanted(
        deploy=spec.deploy,
        rests=setting.ttl_minutes >= 0 and setting.auto_deploy_enabled,
        stuck_after=seconds(spec.healing.stuck_after),
    )


def deployment(session: Session[RemoteModelStatus], target: Target) -> Wanted:
    """Return what the spec says about the deployment, and what a connector needs that is being changed."""
    return replace(wanted(target.spec), held=target.resolved.held, resumes=is_down(session))


def is_down(session: Session[RemoteModelStatus]) -> bool:
    """Whether the model is, or is going, down for its connector; until it is deployed anew."""
    deployed = find(session.status.conditions, ConditionType.DEPLOYED)
    return deployed is not None and deployed.reason == Reason.UPDATING.value


def is_kept_down(session: Session[RemoteModelStatus], target: Target) -> bool:
    """Whether the model should be deployed, and is not for as long as its connector is being changed."""
    return target.spec.deploy and (target.resolved.held or is_down(session))


def is_all_known(session: Session[RemoteModelStatus], target: Target) -> bool:
    """Whether nothing but its document and its references says how the model is, as long as it rests.

    Otherwise there is more to look at: Secrets of its own connector, probes, where its id is to stand, or
    the nodes' memory.
    """
    spec = target.spec
    more = (target.internal, spec.probe, spec.export_id, session.status.export)
    return not is_kept_down(session, target) and all(each is None for each in more)


def synced(problem: Fact | None = None) -> tuple[Fact, ...]:
    """Return the facts of a model that is registered, and in step with its spec unless there is a problem."""
    return (
        true(ConditionType.REFERENCES_RESOLVED),
        problem or true(ConditionType.SYNCED),
        true(ConditionType.REGISTERED),
    )


def deploying() -> Fact:
    """Return the fact of a deployment under way."""
    return false(ConditionType.DEPLOYED, Reason.DEPLOY_TASK_RUNNING, "Deploying the model.")
