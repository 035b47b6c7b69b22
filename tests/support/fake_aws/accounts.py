"""Who holds which keys, and whether a request is theirs: strictly, in the words of AWS."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from support.providers.received import Received
from support.providers.sigv4 import AUTHORIZATION, Signer

SKEW = timedelta(minutes=5)
_TIME = "%Y%m%dT%H%M%SZ"
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
MISSING = "Missing Authentication Token"
WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True)
class Issued:
    """Keys of somebody; those with a token end."""

    arn: str
    access_key: str
    secret_key: str
    session_token: str | None = None
    expires: datetime | None = None


class RefusedError(Exception):
    """AWS does not take a request for what it is signed as."""


@dataclass(slots=True)
class Accounts:
    """All keys by their ids; `now` is AWS's clock."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    keys: dict[str, Issued] = field(default_factory=dict)

    def user(self, name: str) -> Issued:
        """Make a user with keys of their own."""
        return self._issue(f"arn:aws:iam::123456789012:user/{name}", "AKIA", None)

    def session(self, arn: str, seconds: float) -> Issued:
        """Give keys that end after so many seconds."""
        return self._issue(arn, "ASIA", self.now() + timedelta(seconds=seconds))

    def revoke(self, issued: Issued) -> None:
        """Make keys invalid."""
        del self.keys[issued.access_key]

    def signer(self, request: Received, *, region: str, service: str) -> Issued:
        """Return who has signed a request; raises RefusedError."""
        found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise RefusedError(MISSING)
        if found["region"] != region:
            raise RefusedError(f"Credential should be scoped to a valid region, not '{found['region']}'. ")
        if found["service"] != service:
            raise RefusedError(f"Credential should be scoped to correct service: '{service}'. ")
        issued = self.keys.get(found["key"])
        if issued is None or request.headers.get("x-amz-security-token") != issued.session_token:
            raise RefusedError(INVALID)
        self._check_time(request.headers.get("x-amz-date", ""), issued)
        complaint = Signer(issued.access_key, issued.secret_key, region, service).complaint(request)
        if complaint is not None or not _body_as_declared(request, service):
            raise RefusedError(WRONG)
        return issued

    def _check_time(self, signed: str, issued: Issued) -> None:
        now = self.now()
        if not re.fullmatch(r"\d{8}T\d{6}Z", signed):
            raise RefusedError(MISSING)
        at = datetime.strptime(signed, _TIME).replace(tzinfo=UTC)
        if at < now - SKEW:
            limit = (now - SKEW).strftime(_TIME)
            raise RefusedError(
                f"Signature expired: {signed} is now earlier than {limit} ({now.strftime(_TIME)} - 5 min.)"
            )
        if at > now + SKEW:
            limit = (now + SKEW).strftime(_TIME)
            raise RefusedError(
                f"Signature not yet current: {signed} is still later than {limit} "
                f"({now.strftime(_TIME)} + 5 min.)"
            )
        if issued.expires is not None and now >= issued.expires:
            raise RefusedError(EXPIRED)

    def _issue(self, arn: str, kind: str, expires: datetime | None) -> Issued:
        number = len(self.keys) + 1
        token = f"canary-token/{number}+of=the/fake" if expires is not None else None
        issued = Issued(arn, f"{kind}CANARY{number:04d}", f"canary/secret+key-{number}", token, expires)
        self.keys[issued.access_key] = issued
        return issued


def _body_as_declared(request: Received, service: str) -> bool:
    """Serverless asks for the digest as a header; who sends it elsewhere must send the right one."""
    declared = request.headers.get("x-amz-content-sha256")
    if declared is None:
        return service != "aoss"
    return declared == hashlib.sha256(request.body).hexdigest()
