"""What is sent for a RemoteModel, and how the server shows it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..models.common import PendingChange
from ..models.model import RemoteModelSpec
from ..models.snapshot import Snapshot
from . import adoption
from .create import Role, marker
from .difference import changes

REVISION = 1
"""A model is never replaced: its id stands in pipelines."""


def desired(snapshot: Snapshot, spec: RemoteModelSpec, *, connector_id: str, group_id: str) -> dict[str, Any]:
    """Return the fields that register and update share. Without nulls: the server refuses them.

    Both deploy settings are always sent: what is left out is not the default but what was there.
    """
    mark = marker(snapshot.uid, Role.MODEL, REVISION)
    body: dict[str, Any] = {
        **adoption.words(snapshot, name=spec.name, description=spec.description, mark=mark),
        "connector_id": connector_id,
        "model_group_id": group_id,
        "is_enabled": spec.enabled,
        "deploy_setting": {
            "is_auto_deploy_enabled": spec.deploy_setting.auto_deploy_enabled,
            "model_ttl_minutes": spec.deploy_setting.ttl_minutes,
        },
    }
    if spec.rate_limiter is not None:
        body["rate_limiter"] = {"limit": str(spec.rate_limiter.limit), "unit": spec.rate_limiter.unit}
    if spec.guardrails is not None:
        body["guardrails"] = dict(spec.guardrails)
    if spec.interface is not None:
        body["interface"] = spec.interface.to_body()
    return body


def register_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the register request; without function_name the server takes the model for a local one."""
    return {**body, "function_name": "remote"}


def group_body(snapshot: Snapshot, spec: RemoteModelSpec) -> dict[str, Any]:
    """Return the request for the group that the operator makes for one model."""
    return {
        "name": spec.name or snapshot.key.name,
        "description": marker(snapshot.uid, Role.GROUP, REVISION),
    }


def difference(body: Mapping[str, Any], observed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to update: those that the server does not show as wanted.

    What the server leaves out has its default there: enabled, auto-deploy on, no limit in time.
    """
    shown = _shown(observed)
    return {key: value for key, value in body.items() if not _covers(shown.get(key), value)}


def differences(
    body: Mapping[str, Any], observed: Mapping[str, Any], *, mask: Callable[[str], str]
) -> tuple[PendingChange, ...]:
    """Return the difference field by field, with what is left over."""
    shown = _shown(observed)
    over = {field: shown[field] for field in leftover(body, observed)}
    return (
        *changes(shown, difference(body, observed), mask=mask, merged=True),
        *changes(over, {}, mask=mask),
    )


def leftover(body: Mapping[str, Any], observed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is set on the server, not wanted any more, and cannot be taken away by an update.

    `interface` is not among them: the server presets it for some services.
    """
    return tuple(
        field for field in ("rate_limiter", "guardrails") if observed.get(field) and field not in body
    )


def _shown(observed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **observed,
        "is_enabled": observed.get("is_enabled", True),
        "deploy_setting": {
            "is_auto_deploy_enabled": True,
            "model_ttl_minutes": -1,
            **_mapping(observed.get("deploy_setting")),
        },
    }


def auto_deploys(observed: Mapping[str, Any]) -> bool:
    """Whether a prediction may deploy this model by itself."""
    return bool(_mapping(observed.get("deploy_setting")).get("is_auto_deploy_enabled", True))


def _covers(shown: Any, wanted: Any) -> bool:
    """Whether everything wanted is shown; maps are merged by the server, so it may show more.

    What is empty the server leaves out.
    """
    if wanted in ({}, []):
        return shown in (None, {}, [])
    if isinstance(wanted, Mapping):
        return isinstance(shown, Mapping) and all(
            _covers(shown.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(shown, list) and len(shown) == len(wanted) and all(map(_covers, shown, wanted))
    return bool(shown == wanted)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
