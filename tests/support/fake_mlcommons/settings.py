"""GET / and the cluster settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .documents import Doc
from .refusals import illegal, refused

if TYPE_CHECKING:
    from .cluster import Call, Cluster

PREFIX = "plugins.ml_commons."
_TRUSTED = f"{PREFIX}trusted_connector_endpoints_regex"
_DEFAULT_TRUSTED = [
    r"^https://runtime\.sagemaker\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://bedrock-runtime\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://api\.openai\.com/.*$",
    r"^https://api\.cohere\.ai/.*$",
    r"^https://api\.deepseek\.com/.*$",
]


def default_settings(trusted: tuple[str, ...]) -> Doc:
    """Return the defaults, among which are the configuration file's; scalars are text."""
    return {
        f"{PREFIX}connector.private_ip_enabled": "false",
        f"{PREFIX}connector_access_control_enabled": "false",
        f"{PREFIX}model_access_control_enabled": "false",
        f"{PREFIX}model_auto_deploy.enable": "true",
        f"{PREFIX}max_register_model_tasks_per_node": "10",
        _TRUSTED: [*_DEFAULT_TRUSTED, *trusted],
    }


async def get_info(cluster: Cluster, call: Call) -> Doc:  # noqa: ARG001 - all handlers are called alike
    """GET /."""
    return {
        "name": "fake",
        "cluster_name": cluster.name,
        "cluster_uuid": cluster.uuid,
        "version": {"distribution": "opensearch", "number": cluster.number, "build_type": "unknown"},
        "tagline": "The OpenSearch Project: https://opensearch.org/",
    }


async def get_settings(cluster: Cluster, call: Call) -> Doc:
    """Answer as with flat_settings and a filter: empty layers are left out."""
    layers = {"persistent": cluster.persistent, "transient": cluster.transient}
    if call.query.get("include_defaults") == "true":
        layers["defaults"] = cluster.defaults
    return {name: layer for name, layer in layers.items() if layer}


async def put_settings(cluster: Cluster, call: Call) -> Doc:
    """Set or (by null) reset; a list replaces the list before, defaults too. Takes no look at patterns."""
    body = call.body or {}
    for name, layer in (("persistent", cluster.persistent), ("transient", cluster.transient)):
        for key, value in body.get(name, {}).items():
            if value is None:
                layer.pop(key, None)
            elif key == _TRUSTED:
                layer[key] = value if isinstance(value, list) else [value]
            else:
                layer[key] = str(value).lower() if isinstance(value, bool) else value
    return {
        "acknowledged": True,
        "persistent": body.get("persistent", {}),
        "transient": body.get("transient", {}),
    }


def setting(cluster: Cluster, name: str) -> Any:
    """Return the value in force."""
    key = PREFIX + name
    for layer in (cluster.transient, cluster.persistent, cluster.defaults):
        if key in layer:
            return layer[key]
    return None


def is_on(cluster: Cluster, name: str) -> bool:
    """Whether a switch is on."""
    return str(setting(cluster, name)) == "true"


def check_trusted(cluster: Cluster, url: str) -> None:
    """Match the whole URL against the list; a broken pattern in it fails everyone."""
    for pattern in setting(cluster, "trusted_connector_endpoints_regex"):
        try:
            if re.fullmatch(pattern, url):
                return
        except re.error:
            words = f"Unclosed character class near index 0\n{pattern}\n^"
            raise refused(400, words, "pattern_syntax_exception") from None
    shown = f", URL is: {url}" if cluster.release < (3, 2) else ""
    raise illegal(f"Connector URL is not matching the trusted connector endpoint regex{shown}")
