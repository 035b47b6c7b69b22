"""Stable names for the calls that have an effect, the same in every run although all ids are random."""

from __future__ import annotations

import json
from typing import Any

from support.fake_mlcommons.routes import find

from .wire import Request

_NOT_COUNTED = frozenset({"events", "leases", "subjectaccessreviews", "tokenreviews", "tokenrequests"})


def kube_name(request: Request) -> str:
    """Name a write to Kubernetes: `patch remotemodels/model/status`; empty for everything else.

    Events, Leases and reviews are no effects: nothing is lost with them.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return ""
    resource, name, subresource = kube_target(request.path)
    if resource in _NOT_COUNTED:
        return ""
    what = "/".join(part for part in (resource, name, subresource) if part)
    if resource and not subresource and request.method == "PATCH":
        what += " (finalizers)" if b"finalizers" in request.body else " (annotations)"
    return f"{request.method.lower()} {what}"


def kube_target(path: str) -> tuple[str, str, str]:
    """Return resource, name and subresource of a path, empty where it has none."""
    parts = path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    resource, name, subresource = [*rest, "", "", ""][:3]
    return resource, name, subresource


def opensearch_name(request: Request) -> str:
    """Name a call that changes something in OpenSearch, or may: a prediction deploys. Empty for a read."""
    operation = opensearch_operation(request)
    reads = request.method == "GET" or operation.startswith("search-")
    return "" if reads else operation


def opensearch_operation(request: Request) -> str:
    """Return the operation of a request."""
    found = find(request.method, request.path)
    return found[0].operation if isinstance(found, tuple) else f"{request.method} {request.path}"


def opensearch_id(request: Request) -> str:
    """Return the id in the path of a request; empty when it has none."""
    found = find(request.method, request.path)
    return found[1] if isinstance(found, tuple) else ""


def document(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; empty when it holds none."""
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
