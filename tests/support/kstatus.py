"""The verdict of kstatus, which Flux and Helm's --wait judge custom resources by.

Source: cli-utils, pkg/kstatus/status: checkGenericProperties in generic.go, then checkReadyCondition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verdict(body: Mapping[str, Any]) -> str:
    """Return Current, InProgress, Failed or Terminating."""
    metadata, status = body["metadata"], body.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = status.get("conditions") or []
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in {"Reconciling", "Stalled"}:
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    ready = next((each["status"] for each in conditions if each["type"] == "Ready"), "True")
    return "Current" if ready == "True" else "InProgress"
