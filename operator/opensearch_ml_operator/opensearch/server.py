"""The health check of a connection: who answers, and what can it do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from ..errors import MLCode, MLError
from ..reconcilers.ports import ClusterSettings, GateName, ServerInfo
from .operations import Operation
from .paths import BASE
from .schemas import Info, Nodes, SearchResult, Settings, Version, read
from .transport import UNUSABLE, Transport

_ML: Final = "plugins.ml_commons."
SETTINGS_PATH: Final = (
    "/_cluster/settings?include_defaults=true&flat_settings=true"
    "&filter_path=*.plugins%5C.ml_commons%5C.*,*.plugins%5C.security*"
)

NODES_PATH: Final = "/_cluster/state/nodes?local=true&filter_path=nodes.*.name"

_DISGUISE: Final = "7.10.2"
"""What clusters with compatibility.override_main_response_version call themselves, whatever they are."""


class Capability(StrEnum):
    """What a cluster can do, as `status.capabilities` shows it."""

    SECURITY = "Security"
    CONNECTOR_ACCESS_CONTROL = "ConnectorAccessControl"
    MODEL_ACCESS_CONTROL = "ModelAccessControl"
    AUTO_DEPLOY = "AutoDeploy"
    PROVISIONED_BY = "ProvisionedBy"
    CUSTOM_IDS = "CustomIDs"


_BY_SETTING: Final = {
    Capability.CONNECTOR_ACCESS_CONTROL: f"{_ML}connector_access_control_enabled",
    Capability.MODEL_ACCESS_CONTROL: f"{_ML}model_access_control_enabled",
    Capability.AUTO_DEPLOY: f"{_ML}model_auto_deploy.enable",
}
_LIMITS: Final[Mapping[GateName, str]] = {
    "register": "max_register_model_tasks_per_node",
    "deploy": "max_deploy_model_tasks_per_node",
}
_SINCE: Final = {Capability.PROVISIONED_BY: (3, 7), Capability.CUSTOM_IDS: (3, 9)}


async def inspect(transport: Transport) -> ServerInfo:
    """Ask GET /, then for one page of models, then for the settings and the nodes; raises MLError.

    Without the permission to read settings (cluster:monitor/state) what they would tell stays unknown:
    private addresses count as allowed, the server decides when it is asked to call one.
    """
    info = read(Info, await transport.call(Operation.GET_INFO, "GET", "/"), doing=Operation.GET_INFO)
    page = await transport.call(Operation.CHECK_PLUGIN, "POST", f"{BASE}/models/_search", {"size": 0})
    read(SearchResult, page, doing=Operation.CHECK_PLUGIN)
    settings = await _settings(transport)
    nodes = 1 if settings is None else await _nodes(transport)
    return ServerInfo(
        version=info.version.number,
        distribution=info.version.distribution,
        cluster_name=info.cluster_name,
        cluster_uuid=info.cluster_uuid,
        capabilities=tuple(c.value for c in Capability if c in _capabilities(info.version, settings)),
        private_addresses_allowed=settings is None or _true(settings, f"{_ML}connector.private_ip_enabled"),
        tasks_at_once={} if settings is None else _tasks_at_once(settings, nodes),
    )


async def settings(transport: Transport) -> ClusterSettings:
    """Read the settings of ML Commons; raises MLError, FORBIDDEN without cluster:monitor/state."""
    answer = await transport.call(Operation.READ_SETTINGS, "GET", SETTINGS_PATH)
    shown = read(Settings, answer, doing=Operation.READ_SETTINGS)
    layers = (shown.persistent, shown.transient, shown.defaults)
    return ClusterSettings(
        *({name: value for name, value in layer.items() if name.startswith(_ML)} for layer in layers)
    )


async def _settings(transport: Transport) -> Settings | None:
    try:
        answer = await transport.call(Operation.GET_SETTINGS, "GET", SETTINGS_PATH)
    except MLError as error:
        if error.code is MLCode.FORBIDDEN:
            return None
        raise
    return read(Settings, answer, doing=Operation.GET_SETTINGS)


async def _nodes(transport: Transport) -> int:
    """Count the nodes, one when nobody may know: a cluster can be used without that.

    Those that run no models count too, because the state does not tell what they are for.
    """
    try:
        answer = await transport.call(Operation.GET_NODES, "GET", NODES_PATH)
        nodes = read(Nodes, answer, doing=Operation.GET_NODES).nodes
    except MLError as error:
        if error.code in UNUSABLE:
            raise
        nodes = {}
    return max(len(nodes), 1)


def _tasks_at_once(settings: Settings, nodes: int) -> dict[GateName, int]:
    """Read the limits of `MLTaskManager`, each for one node; a setting that says no number is left out."""
    found = {name: str(settings.get(f"{_ML}{setting}")) for name, setting in _LIMITS.items()}
    return {name: int(value) * nodes for name, value in found.items() if value.isdecimal()}


def _capabilities(version: Version, settings: Settings | None) -> set[Capability]:
    found = {c for c, since in _SINCE.items() if _release(version) >= since}
    if settings is None:  # only the Security plugin forbids anything
        return found | {Capability.SECURITY}
    found |= {c for c, name in _BY_SETTING.items() if _true(settings, name)}
    if any(name.startswith("plugins.security") for name in settings.defaults):
        found.add(Capability.SECURITY)
    return found


def _true(settings: Settings, name: str) -> bool:
    """Whether a boolean setting is on; the server writes every scalar as text."""
    return str(settings.get(name)).lower() == "true"


def _release(version: Version) -> tuple[int, ...]:
    """Return (major, minor), or (0,) for what is no OpenSearch release: then no capability is assumed."""
    match = re.match(r"(\d+)\.(\d+)\.", version.number)
    if match is None or version.number == _DISGUISE or version.distribution != "opensearch":
        return (0,)
    return int(match[1]), int(match[2])
