"""What a RemoteModel's status says, in few words: its tasks, its state and its conditions."""

from __future__ import annotations

from collections.abc import Mapping

from demo.kubectl import Resource, condition

CONDITIONS = ("ReferencesResolved", "Synced", "Registered", "Deployed", "Ready")


def facts(model: Resource) -> dict[str, str]:
    """Return what there is to tell of a model, by name."""
    status = model.get("status", {})
    told = {
        f"{each['type'].lower()} task {each['id']}": each.get("state", "") for each in status.get("tasks", [])
    }
    if status.get("id"):
        told["model"] = status["id"]
    if status.get("state"):
        told["state"] = status["state"]
    for type_ in CONDITIONS:
        found = condition(model, type_)
        if found:
            reason = f" ({found['reason']})" if found["status"] != "True" else ""
            told[type_] = f"{found['status']}{reason}"
    return told


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what is new, as one line; empty when nothing is."""
    new = {name: value for name, value in now.items() if before.get(name) != value}
    return ", ".join(
        f"{name}={value}" if name in CONDITIONS else f"{name} {value}" for name, value in new.items()
    )
