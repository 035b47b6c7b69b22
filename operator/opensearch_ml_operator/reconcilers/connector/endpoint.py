"""Where a connector's calls go: the host is fixed before creation, and known-bad addresses are refused.

A `${parameters.x}` in a URL's host would let everyone who may predict send the call, with its credential,
to a host of their choice (seen on 2.19 and 3.6). So the operator fills it in from `spec.parameters`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from ...constants import ConditionType, Reason
from ..conditions import Fact, false
from ..stringify import stringify

_PLACEHOLDER: Final = re.compile(r"\$\{parameters\.([^}:]+)(?::-[^}]*)?\}")
_HEAD: Final = re.compile(r"^(?:\$\{[^}]*\}|[^/?#]|(?<=:)/|(?<=:/)/)*")
"""Everything before the path: scheme, `://` and authority, placeholders included."""
_FIXED: Final = re.compile(
    r"^https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(?=[/?#]|\Z)"
)
_LONGEST: Final = 4096
_ROUNDS: Final = 8

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google Cloud
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud
        ),
    )
)
"""Metadata services that are not link-local; two of them are public addresses."""
_TRANSLATED: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""IPv6 addresses that stand for the IPv4 address in their last four bytes (RFC 6052, RFC 4291)."""


def fix_host(url: str, parameters: Mapping[str, Any]) -> str | Fact:
    """Return the URL with scheme, host and port filled in from the parameters; the path keeps placeholders.

    What does not become a plain `http(s)://host[:port]` is refused: user names, backslashes, blanks, letters
    outside of ASCII, percent signs, and whatever else different parsers read differently.
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
        if any(len(stringify(parameters[name])) > _LONGEST for name in set(_PLACEHOLDER.findall(head))):
            return _refused(f"a parameter in it is longer than {_LONGEST} characters")
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
    if address.is_link_local or address in _METADATA:
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
    plain = host.strip("[]").rstrip(".").lower()
    if plain == "localhost" or plain.endswith(".localhost"):
        return ipaddress.ip_address("127.0.0.1")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(plain))  # 2130706433, 0x7f.1, 0177.0.0.1
        except (OSError, ValueError):
            return None
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if any(address in network for network in _TRANSLATED) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _refused(why: str) -> Fact:
    return false(
        ConditionType.SYNCED,
        Reason.INVALID_SPEC,
        f"The host of an action's url must be fixed before anything is sent, but {why}. Whoever may predict "
        "could send the credential anywhere. Write the host out, or add the parameter.",
        stalled=True,
    )
