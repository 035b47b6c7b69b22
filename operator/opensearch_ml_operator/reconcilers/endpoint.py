"""Where a connector's calls go: the host is fixed before creation, and known-bad addresses are refused.

A `${parameters.x}` in a URL's host would let everyone who may predict send the call, with its credential,
to a host of their choice (seen on 2.19 and 3.6). So the operator fills it in from `spec.parameters`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ..constants import ConditionType, Reason
from .conditions import Fact, false
from .stringify import stringify

_PLACEHOLDER: Final = re.compile(r"\$\{parameters\.([^}:]+)(?::-[^}]*)?\}")
_HEAD: Final = re.compile(r"^(?:\$\{[^}]*\}|[^/?#]|(?<=:)/|(?<=:/)/)*")
"""Everything before the path: scheme, `://` and authority, placeholders included."""
_FIXED: Final = re.compile(
    r"^https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#\\@\s:\[\]$]+)(:[0-9]{1,5})?(?=[/?#]|$)"
)
_LONGEST: Final = 4096
_ROUNDS: Final = 8

# The metadata service of AWS by IPv6 is not link-local but unique local.
_METADATA: Final = ipaddress.ip_address("fd00:ec2::254")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def fix_host(url: str, parameters: Mapping[str, Any]) -> str | Fact:
    """Return the URL with scheme, host and port filled in from the parameters; the path keeps placeholders.

    What does not become a plain `http(s)://host[:port]` is refused: user names, backslashes, blanks and
    whatever else different parsers read differently.
    """
    for _ in range(_ROUNDS):
        match = _HEAD.match(url)
        head = match.group(0) if match else ""
        if "${" not in head:
            return url if _FIXED.match(url) else _refused("it is not of the form http(s)://host[:port]/path")
        if not _PLACEHOLDER.search(head):
            return _refused("it holds a placeholder that is no parameter")
        for name in _PLACEHOLDER.findall(head):
            if name not in parameters:
                return _refused(f"spec.parameters has no {name!r}")
        filled = _PLACEHOLDER.sub(lambda m: stringify(parameters[m.group(1)]), head)
        url = filled + url[len(head) :]
        if len(url) > _LONGEST:
            return _refused(f"it becomes longer than {_LONGEST} characters")
    return _refused("its parameters refer to each other")


def refuse_address(url: str, *, private_allowed: bool) -> Fact | None:
    """Refuse literal addresses that OpenSearch refuses too, but only at the first prediction.

    Link-local addresses (cloud metadata services) are refused always. Takes a URL that `fix_host` returned.
    Source: `MLHttpClientFactory.validateIp` of ml-commons.
    """
    match = _FIXED.match(url)
    host = match.group("host") if match else ""
    address = _literal(host)
    if address is None:
        return None
    if address.is_link_local or address == _METADATA:
        words = f"{host} is the address of a metadata service or link-local; those are never called."
        return false(ConditionType.SYNCED, Reason.PRIVATE_ADDRESS, words, stalled=True)
    if private_allowed or address.is_global:
        return None
    return false(
        ConditionType.SYNCED,
        Reason.PRIVATE_ADDRESS,
        f"{host} is a private address and the cluster refuses those at every prediction. Set "
        "plugins.ml_commons.connector.private_ip_enabled to true, or use a public address.",
    )


def _literal(host: str) -> Address | None:
    """Return the address that a host stands for without DNS, in all the forms that resolvers accept."""
    plain = unicodedata.normalize("NFKC", unquote(host)).strip("[]").rstrip(".").lower()
    if plain == "localhost" or plain.endswith(".localhost"):
        return ipaddress.ip_address("127.0.0.1")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(plain))  # 2130706433, 0x7f.1, 0177.0.0.1
        except (OSError, ValueError):
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _refused(why: str) -> Fact:
    return false(
        ConditionType.SYNCED,
        Reason.INVALID_SPEC,
        f"The host of an action's url must be fixed before anything is sent, but {why}. Whoever may predict "
        "could send the credential anywhere. Write the host out, or add the parameter.",
        stalled=True,
    )
