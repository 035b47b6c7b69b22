"""How a change reaches a connector that exists: in place, as a new revision, or not at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Strategy: TypeAlias = Literal["Swap", "Redeploy", "InPlaceOnly"]


@dataclass(frozen=True, slots=True)
class InPlace:
    """Change the connector that is there; the server refuses that while a loaded model uses it."""


@dataclass(frozen=True, slots=True)
class NewRevision:
    """Make another connector for the models to be moved to."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Change nothing, and say why."""

    words: str


Step: TypeAlias = InPlace | NewRevision | Refuse


def plan(strategy: Strategy, *, used: bool, unsayable: tuple[str, ...]) -> Step:
    """Return how to change a connector that is `used` by RemoteModels or not."""
    if strategy == "Swap":
        return NewRevision() if used or unsayable else InPlace()
    if unsayable:
        return Refuse(
            f"OpenSearch cannot take {', '.join(unsayable)} away from a connector, or change it. Set it to "
            "what it was, or let the operator make a new connector: spec.update.strategy Swap."
        )
    return InPlace()


def refused(words: str) -> Refuse:
    """Return what is told when the server refuses a change in place because models use the connector."""
    return Refuse(
        f"OpenSearch does not change it: {words.rstrip('.')}. Undeploy them, or let the operator make a new "
        "connector: spec.update.strategy Swap."
    )


def unsayable(
    content: Mapping[str, Any], observed: Mapping[str, Any], *, same_credential_names: bool
) -> tuple[str, ...]:
    """Return what a change in place cannot express.

    The server merges parameters and credentials, so a key that is left out stays and is still sent; it takes
    an unknown protocol and then reads the connector no more; and the checks of `access` are those of the
    create alone (UpdateConnectorTransportAction, seen on 2.19 and 3.6).
    """
    parameters = _mapping(observed.get("parameters")).keys() - content["parameters"].keys()
    found = [f"parameters.{key}" for key in sorted(parameters)]
    if not same_credential_names:
        found.append("credentials")
    if observed.get("protocol") != content["protocol"]:
        found.append("protocol")
    if observed.get("client_config") and "client_config" not in content:
        found.append("clientConfig")
    if not _same_access(content, observed):
        found.append("access")
    return tuple(found)


def _same_access(content: Mapping[str, Any], observed: Mapping[str, Any]) -> bool:
    """Whether the connector is open to those who are wanted; private is what the server makes of nothing."""
    if (content.get("access_mode") or "private") != str(observed.get("access") or "private").lower():
        return False
    if content.get("add_all_backend_roles"):
        return True  # which roles these are the server alone knows
    return set(content.get("backend_roles") or ()) == set(observed.get("backend_roles") or ())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
