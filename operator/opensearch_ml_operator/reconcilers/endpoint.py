"""Where a connector's calls go: the host is fixed before creation, and known-bad addresses are refused.

A `${parameters.x}` in a URL's host would let everyone who may predict send the call, with its credential,
to a host of their choice (seen on 2.19 and 3.6). So the operator fills it in from `spec.parameters`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..constants import ConditionType, Reason
from .conditions import Fact, false

_PLACEHOLDER = re.compile(r"\$\{parameters\.([^}:]+)(?::-[^}]*)?\}")
_AUTHORITY = re.compile(
    r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)?(?P<authority>(?:\$\{[^}]*\}|[^/?#$]|\$(?!\{))*)"
)


def fix_host(url: str, parameters: Mapping[str, Any]) -> str | Fact:
    """Return the URL with scheme and host filled in from the parameters; the path keeps its placeholders."""
    filled = url
    for _ in range(len(parameters) + 1):
        match = _AUTHORITY.match(filled)
        head = match.group(0) if match else ""
        if "${" not in head:
            return filled
        unknown = next(
            (m.group(1) for m in _PLACEHOLDER.finditer(head) if m.group(1) not in parameters), None
        )
        if unknown is not None or not _PLACEHOLDER.search(head):
            return _open(unknown)
        filled = _PLACEHOLDER.sub(lambda m: str(parameters[m.group(1)]), head) + filled[len(head) :]
    return _open(None)


def refuse_address(url: str, *, private_allowed: bool) -> Fact | None:
    """Refuse literal addresses that OpenSearch refuses too, but only at the first prediction.

    Link-local addresses (cloud metadata services) are refused always.
    Source: `MLHttpClientFactory.validateIp` of ml-commons.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return false(ConditionType.SYNCED, Reason.INVALID_SPEC, "An action's url is not a URL.", stalled=True)
    address = _literal(host)
    if address is None:
        return None
    if address.is_link_local:
        words = f"{host} is a link-local address; metadata services are never called."
        return false(ConditionType.SYNCED, Reason.PRIVATE_ADDRESS, words, stalled=True)
    if private_allowed or address.is_global:
        return None
    return false(
        ConditionType.SYNCED,
        Reason.PRIVATE_ADDRESS,
        f"{host} is a private address and the cluster refuses those at every prediction. Set "
        "plugins.ml_commons.connector.private_ip_enabled to true, or use a public address.",
    )


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if host == "localhost":
        return ipaddress.ip_address("127.0.0.1")
    try:
        return ipaddress.ip_address(int(host)) if host.isdigit() else ipaddress.ip_address(host)
    except ValueError:
        return None


def _open(unknown: str | None) -> Fact:
    what = f"spec.parameters has no {unknown!r}" if unknown else "the placeholder is not a parameter"
    return false(
        ConditionType.SYNCED,
        Reason.INVALID_SPEC,
        f"The host of an action's url must be fixed, but {what}. Whoever may predict could send the "
        "credential anywhere. Write the host out, or add the parameter.",
        stalled=True,
    )
