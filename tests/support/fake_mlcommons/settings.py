"""GET / and the cluster settings."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .documents import Doc
from .refusals import illegal, refused

if TYPE_CHECKING:
    from .cluster import Call, Cluster

PREFIX = "plugins.ml_commons."
TRUSTED = f"{PREFIX}trusted_connector_endpoints_regex"
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
        f"{PREFIX}max_deploy_model_tasks_per_node": "10",
        f"{PREFIX}safe_delete_model": "false",
        f"{PREFIX}task_dispatcher.eligible_node_role.remote_model": ["data", "ml"],
        TRUSTED: [*_DEFAULT_TRUSTED, *trusted],
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
    """Answer as with flat_settings and a filter: empty layers are left out, and defaults of what is set."""
    layers = {"persistent": cluster.persistent, "transient": cluster.transient}
    if call.query.get("include_defaults") == "true":
        given = {**cluster.persistent, **cluster.transient}
        layers["defaults"] = {key: value for key, value in cluster.defaults.items() if key not in given}
    return {name: layer for name, layer in layers.items() if layer}


async def get_nodes(cluster: Cluster, call: Call) -> Doc:  # noqa: ARG001 - all handlers are called alike
    """Answer as with a filter for the names."""
    return {"nodes": {node: {"name": node} for node in cluster.nodes}}


async def put_settings(cluster: Cluster, call: Call) -> Doc:
    """Set or (by null) reset, all or nothing; a list replaces the list before, defaults too.

    Scalars become text and stay as they were written. Patterns are not looked at before 3.7.
    """
    body = call.body or {}
    layers = {"persistent": cluster.persistent, "transient": cluster.transient}
    changes = {name: {key: _text(value) for key, value in body.get(name, {}).items()} for name in layers}
    for name, layer in changes.items():
        for key, value in layer.items():
            _check(cluster, name, key, value)
    for name, layer in layers.items():
        layer.update(changes[name])
        for key in [key for key, value in layer.items() if value is None]:
            del layer[key]
    shown = {name: {k: v for k, v in layer.items() if v is not None} for name, layer in changes.items()}
    return {"acknowledged": True, **shown}


def _text(value: Any) -> Any:
    """Return a value as it is stored (Settings.fromXContent)."""
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _check(cluster: Cluster, layer: str, key: str, value: Any) -> None:
    """Refuse what the server would; every other setting is known and takes anything."""
    if key not in cluster.defaults:
        kind = "settings_exception" if cluster.release >= (3, 0) else "illegal_argument_exception"
        raise refused(400, f"{layer} setting [{key}], not recognized", kind)
    if cluster.defaults[key] in ("true", "false") and value not in ("true", "false", None):
        raise illegal(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")


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
    trusted = setting(cluster, "trusted_connector_endpoints_regex")
    for pattern in trusted if isinstance(trusted, list) else [trusted]:
        try:
            if re.fullmatch(pattern, url):
                return
        except re.error:
            words = f"Unclosed character class near index 0\n{pattern}\n^"
            raise refused(400, words, "pattern_syntax_exception") from None
    shown = f", URL is: {url}" if cluster.release < (3, 2) else ""
    raise illegal(f"Connector URL is not matching the trusted connector endpoint regex{shown}")
