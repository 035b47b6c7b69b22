"""What is sent for a model group, and what of it the server does not show as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.group import MLModelGroupSpec
from ...models.snapshot import Snapshot
from .. import adoption
from ..access import access_body
from ..creation.protocol import Role, marker

REVISION = 1
_ACCESS = ("access_mode", "backend_roles", "add_all_backend_roles")
"""Fields that the server refuses one without the other."""


def desired(snapshot: Snapshot, spec: MLModelGroupSpec) -> dict[str, Any]:
    """Return the create body."""
    mark = marker(snapshot.uid, Role.GROUP, REVISION)
    words = adoption.words(snapshot, name=spec.name, description=spec.description, mark=mark)
    return {**words, **access_body(spec.access)}


def difference(desired: Mapping[str, Any], observed: Mapping[str, Any], *, changed: bool) -> dict[str, Any]:
    """Return the part of the body that the server does not show as wanted.

    `changed`: the spec is not the one that was applied last; only then "all backend roles" is sent again, as
    nobody can tell from a list of roles that it was meant to be all of them.
    """
    seen = shown(observed)
    body = {key: value for key, value in desired.items() if key not in _ACCESS[1:] and seen.get(key) != value}
    roles = desired.get("backend_roles")
    differ = roles is not None and set(roles) != set(seen["backend_roles"])
    if "access_mode" in body or differ or (changed and "add_all_backend_roles" in desired):
        body |= {key: desired[key] for key in _ACCESS if key in desired}
    return body


def shown(observed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the remote group by the names of the create body."""
    return {
        "name": observed.get("name"),
        "description": observed.get("description"),
        "access_mode": observed.get("access"),
        "backend_roles": sorted(observed.get("backend_roles") or ()),
    }
