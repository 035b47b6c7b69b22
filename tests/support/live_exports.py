"""Models that export their ids, on the real API server."""

from __future__ import annotations

import base64

from support.live_kube import Document, condition
from support.live_stage import Stage


def exported(stage: Stage, kind: str, name: str, key: str = "model_id") -> str | None:
    """Return what stands under a key; None when it, or the object, is not there."""
    value = (stage.kube.find(kind, name) or {}).get("data", {}).get(key)
    return base64.b64decode(value).decode() if value is not None and kind == "Secret" else value


def begin(stage: Stage, **place: str) -> str:
    """Create a set whose model exports its id, and return the id once the model is registered."""
    stage.connect()
    stage.kube.apply(stage.sets.group("first"), stage.sets.connector("first"))
    stage.kube.apply(stage.sets.model("first", exportID=place))
    found = stage.kube.until("RemoteModel", "first", lambda found: "id" in found.get("status", {}))
    return str(found["status"]["id"])


def export(stage: Stage, **place: str) -> None:
    stage.kube.apply(stage.sets.model("first", exportID=place))


def refused(found: Document) -> str:
    synced = condition(found, "Synced")
    return str(synced["message"]) if synced.get("reason") == "PermissionDenied" else ""
