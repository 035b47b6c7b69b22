"""What one RemoteModel is to become, resolved, and the facts that its steps share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..constants import ConditionType, Reason
from ..models.common import seconds
from ..models.model import RemoteModelSpec
from .conditions import Fact, false, true
from .model_plan import Wanted
from .model_references import Resolved
from .records import digest


@dataclass(frozen=True, slots=True)
class Target:
    """The spec, its references followed, and the body that the server should show."""

    spec: RemoteModelSpec
    resolved: Resolved
    body: Mapping[str, Any]

    @property
    def spec_hash(self) -> str:
        """Changes with everything that is sent."""
        return digest(self.body)


def wanted(spec: RemoteModelSpec) -> Wanted:
    """Return what the spec says about the deployment."""
    setting = spec.deploy_setting
    return Wanted(
        deploy=spec.deploy,
        rests=setting.ttl_minutes >= 0 and setting.auto_deploy_enabled,
        stuck_after=seconds(spec.healing.stuck_after),
    )


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
