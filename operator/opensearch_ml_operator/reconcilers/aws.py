"""Requests that an identity of AWS signs: what the reconcilers need for them, as data and a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AWSKeys:
    """An access key of AWS, a temporary one with `session_token`; `expires` when that is known."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class AWSIdentity:
    """Who we are in AWS: the owner of `keys`, or else the pod itself, or the role that these assume."""

    region: str
    keys: AWSKeys | None = None
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """Requests are signed by this identity, for this service in the identity's region."""

    identity: AWSIdentity
    service: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it leaves; `target` is the encoded path with its query."""

    method: str
    host: str
    target: str
    body: bytes = field(repr=False)


class AWSSource(Protocol):
    """Has credentials of AWS, renews them in time, and signs with them."""

    @property
    def for_teams(self) -> bool:
        """Whether the installation lets the connections of a namespace be the pod itself."""

    async def credentials(self, wanted: AWSIdentity) -> AWSKeys:
        """Return keys that are good for some time yet; raises AWSError, AWSRefusedError."""

    async def sign(self, signing: Signing, request: Outgoing) -> Mapping[str, str]:
        """Return the headers that sign the request as of now; raises AWSError, AWSRefusedError."""

    def forget(self, wanted: AWSIdentity) -> None:
        """Get other keys at the next call: these were refused."""
