"""A verifier of AWS Signature Version 4, written from AWS's description of it and from no client.

Source: "Create a signed AWS API request" in the IAM User Guide. Its published examples are the tests.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from support.providers.received import Received

ALGORITHM = "AWS4-HMAC-SHA256"
AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/]+)/"
    r"(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
    r", ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
MUST_BE_SIGNED = {"host", "x-amz-date"}


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose signature is expected, and for which service where."""

    access_key: str
    secret_key: str
    region: str
    service: str

    def complaint(self, request: Received) -> str | None:
        """Say what is wrong with the signature of a request; None when nothing is."""
        found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return f"not a well-formed Authorization: {request.headers.get('authorization')}"
        if (found["key"], found["region"], found["service"]) != (self.access_key, self.region, self.service):
            return f"signed as {found['key']} for {found['service']} in {found['region']}"
        time = request.headers.get("x-amz-date", "")
        if not re.fullmatch(rf"{found['date']}T\d{{6}}Z", time):
            return f"the time of the request is {time}"
        signed = found["headers"].split(";")
        amz = {name for name in request.headers if name.startswith("x-amz-")}
        if signed != sorted(signed) or not MUST_BE_SIGNED | amz <= set(signed):
            return f"the signed headers are {signed}"
        if not hmac.compare_digest(found["signature"], self._signature(request, signed, time)):
            return "the signature is wrong"
        return None

    def _signature(self, request: Received, signed: list[str], time: str) -> str:
        scope = f"{time[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical(request, signed).encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = _mac(key, part)
        return _mac(key, f"{ALGORITHM}\n{time}\n{scope}\n{digest}").hex()


def canonical(request: Received, signed: list[str]) -> str:
    """Return the canonical request; the path is encoded once more than it came, as for all but Amazon S3."""
    path, _, query = request.target.partition("?")
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "\n".join(
        (
            request.method,
            quote(path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
