"""What is sent for a RemoteModel, and how the server shows it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...models.common import PendingChange
from ...models.model import RemoteModelSpec, RemoteModelStatus
from ...models.snapshot import Snapshot
from .. import adoption, extra
from ..conditions import Fact
from ..creation.protocol import Role, marker
from ..difference import changes
from ..records import parse_spec
from ..shown import comparable, covers, mapping

REVISION = 1
"""A model is never replaced: its id stands in pipelines."""
ANYTHING: Final = "{}"
"""The JSON Schema that everything fits."""
_SCHEMA: Final = "interface.{}"


def parse(spec: Mapping[str, Any]) -> RemoteModelSpec | Fact:
    """Read a spec; a Fact says what is wrong with it."""
    parsed = parse_spec(RemoteModelSpec, spec)
    return parsed if isinstance(parsed, Fact) else extra.clash(parsed.extra, extra.MODEL) or parsed


def desired(
    snapshot: Snapshot,
    spec: RemoteModelSpec,
    *,
    connector_id: str | None,
    group_id: str,
    held: bool = False,
) -> dict[str, Any]:
    """Return the fields that register and update share, but a connector of the model's own.

    Without nulls: the server refuses them.

    One that is `held` undeployed must not come back by a prediction.
    Both deploy settings are always sent: what is left out is not the default but what was there.
    """
    mark = marker(snapshot.uid, Role.MODEL, REVISION)
    body: dict[str, Any] = {
        **adoption.words(snapshot, name=spec.name, description=spec.description, mark=mark),
        **({} if connector_id is None else {"connector_id": connector_id}),
        "model_group_id": group_id,
        "is_enabled": spec.enabled,
        "deploy_setting": {
            "is_auto_deploy_enabled": spec.deploy_setting.auto_deploy_enabled and not held,
            "model_ttl_minutes": spec.deploy_setting.ttl_minutes,
        },
    }
    if spec.rate_limiter is not None:
        body["rate_limiter"] = {"limit": str(spec.rate_limiter.limit), "unit": spec.rate_limiter.unit}
    if spec.guardrails is not None:
        body["guardrails"] = dict(spec.guardrails)
    if spec.interface is not None:
        body["interface"] = spec.interface.to_body()
    return extra.merged(body, spec.extra)


def register_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the register request; without function_name the server takes the model for a local one."""
    return {**body, "function_name": "remote"}


def group_body(snapshot: Snapshot, spec: RemoteModelSpec) -> dict[str, Any]:
    """Return the request for the group that the operator makes for one model."""
    return {
        "name": spec.name or snapshot.key.name,
        "description": marker(snapshot.uid, Role.GROUP, REVISION),
    }


def difference(
    body: Mapping[str, Any],
    observed: Mapping[str, Any],
    *,
    unseen: Mapping[str, Any] | None = None,
    once_set: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the fields to update: those that the server does not show as wanted.

    What the server leaves out has its default there: enabled, auto-deploy on, no limit in time. It need not
    show what is in `unseen`, parts of the body that were applied before. Of the schemas of `interface`, those
    that are not wanted any more and are among the fields that the spec has `once_set` are opened.
    """
    shown = _shown(observed)
    wanted = comparable(body, shown, unseen or {})
    different = {key: body[key] for key, value in wanted.items() if not covers(shown.get(key), value)}
    schemas, known = mapping(body.get("interface")), frozenset(once_set)
    opened = {
        name: ANYTHING for full, name in _schemas(observed).items() if full in known and name not in schemas
    }
    return {**different, "interface": {**schemas, **opened}} if opened else different


def differences(
    different: Mapping[str, Any],
    over: Iterable[str],
    observed: Mapping[str, Any],
    *,
    mask: Callable[[str], str],
) -> tuple[PendingChange, ...]:
    """Return a difference, and what is left over, field by field."""
    shown = _shown(observed)
    return (
        *changes(shown, different, mask=mask, merged=True),
        *changes({field: shown[field] for field in over}, {}, mask=mask),
    )


def leftover(
    body: Mapping[str, Any], observed: Mapping[str, Any], extra_fields: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return what is set on the server, not wanted any more, and cannot be taken away by an update.

    `interface` is not among them: what the spec has set there can be opened, and the server presets it for
    some services. `extra_fields` are those that `spec.extra` has ever set.
    """
    fields = ("rate_limiter", "guardrails", *extra_fields)
    return tuple(field for field in fields if observed.get(field) and field not in body)


def extra_fields(
    spec: RemoteModelSpec, status: RemoteModelStatus, observed: Mapping[str, Any] | None = None
) -> list[str] | None:
    """Return the names that `spec.extra` and `spec.interface` have set so far, while the server has them."""
    schemas = spec.interface.to_body() if spec.interface is not None else {}
    there = None if observed is None else {*filter(observed.get, observed), *_schemas(observed)}
    left = (name for name in status.extra_fields or () if there is None or name in there)
    return sorted({*spec.extra, *map(_SCHEMA.format, schemas), *left}) or None


def _schemas(observed: Mapping[str, Any]) -> dict[str, str]:
    """Return the schemas that check something, by full name: an update takes none away, but can open it."""
    shown = mapping(observed.get("interface"))
    return {_SCHEMA.format(name): name for name, text in shown.items() if text and text != ANYTHING}


def _shown(observed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **observed,
        "is_enabled": observed.get("is_enabled", True),
        "deploy_setting": {
            "is_auto_deploy_enabled": True,
            "model_ttl_minutes": -1,
            **mapping(observed.get("deploy_setting")),
        },
    }


def auto_deploys(observed: Mapping[str, Any]) -> bool:
    """Whether a prediction may deploy this model by itself."""
    return bool(mapping(observed.get("deploy_setting")).get("is_auto_deploy_enabled", True))
