"""The access fields of connectors and groups: sent only when given, as not every cluster takes them."""

from __future__ import annotations

from typing import Any

from ..models.common import Access


def access_body(access: Access | None) -> dict[str, Any]:
    """Return the access fields of a create body."""
    if access is None:
        return {}
    body: dict[str, Any] = {"access_mode": access.mode}
    if access.backend_roles:
        body["backend_roles"] = list(access.backend_roles)
    if access.add_all_backend_roles:
        body["add_all_backend_roles"] = True
    return body
