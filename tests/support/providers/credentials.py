"""How a provider knows who calls: the form of the header, and whose key is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from support.providers.received import Received
from support.providers.sigv4 import Signer

Check: TypeAlias = Callable[[Received, Mapping[str, str]], str | None]
"""Says what is wrong with the caller's credential, given what is in the example's Secret."""


def header(name: str, key: str, scheme: str = "") -> Check:
    """Want the Secret's key in a header."""

    def check(request: Received, secret: Mapping[str, str]) -> str | None:
        right = request.headers.get(name) == f"{scheme}{secret[key]}"
        return None if right else f"{name} is {request.headers.get(name)}"

    return check


def bearer(key: str) -> Check:
    """Want the Secret's key as a bearer token."""
    return header("authorization", key, "Bearer ")


def no_key(request: Received, secret: Mapping[str, str]) -> str | None:
    """Want no credential; there is no Secret."""
    return None if not secret and "authorization" not in request.headers else "there is a credential"


def signed_for(service: str) -> Check:
    """Want a signature for a service in us-east-1, and the session's token when there is a session."""

    def check(request: Received, secret: Mapping[str, str]) -> str | None:
        token = request.headers.get("x-amz-security-token")
        if token != secret.get("session_token"):
            return f"the session token is {token}"
        return Signer(secret["access_key"], secret["secret_key"], "us-east-1", service).complaint(request)

    return check
