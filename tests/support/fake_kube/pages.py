"""Lists in pages: all pages of one list show the objects as they were at its first."""

from __future__ import annotations

import secrets
from typing import Any

from .calls import Call
from .refusals import expired
from .store import Body, Store


class Pages:
    """Answers lists; a `continue` token stands for the rest of one list, and works once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rests: dict[str, tuple[int, list[Body]]] = {}

    def page(self, call: Call) -> dict[str, Any]:
        """Return the list that a request asks for, or its next page."""
        if token := call.query.get("continue"):
            if token not in self._rests:
                raise expired()
            version, items = self._rests.pop(token)
        else:
            version, items = self._store.version, self._store.list(call.resource, call.namespace)
        size = int(call.query.get("limit") or 0) or len(items)
        following = self._keep(version, items[size:]) if items[size:] else ""
        remaining = {"remainingItemCount": len(items[size:])} if following else {}
        if "PartialObjectMetadataList" in call.accept:
            kind, api_version = "PartialObjectMetadata", "meta.k8s.io/v1"
            page = [
                {"kind": kind, "apiVersion": api_version, "metadata": item["metadata"]}
                for item in items[:size]
            ]
        else:
            kind, api_version, page = call.resource.kind, call.resource.api_version, items[:size]
        return {
            "kind": f"{kind}List",
            "apiVersion": api_version,
            "metadata": {"resourceVersion": str(version), "continue": following, **remaining},
            "items": page or (None if kind == "PartialObjectMetadata" else []),
        }

    def expire(self) -> None:
        """Forget all rests: whoever asks for one gets a 410."""
        self._rests.clear()

    def _keep(self, version: int, rest: list[Body]) -> str:
        token = secrets.token_hex(8)
        self._rests[token] = (version, rest)
        return token
