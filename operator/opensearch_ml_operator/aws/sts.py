"""AWS Security Token Service: temporary keys of a role, for other keys or for a token of Kubernetes.

https://docs.aws.amazon.com/STS/latest/APIReference/. awscrt can do the second of the two, but says not why
it was refused.
"""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import urlencode, urlsplit

from ..constants import NAME
from ..errors import AWSError, AWSRefusedError
from ..reconcilers.aws import AWSKeys, Outgoing
from . import exchange

Sign: TypeAlias = Callable[[Outgoing, AWSKeys, str], Awaitable[Mapping[str, str]]]
"""Signs a request to STS with keys, for a region."""

_SUFFIXES: Final = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}
_FORM: Final = "application/x-www-form-urlencoded"
_NOT_NOW: Final = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "IDPCommunicationError"}
)
_SECONDS: Final = 3600
"""Life of the keys: what every role allows, and the most of a role that was assumed by another one."""


class STS:
    """The service of one region; `environ` may name another one, or an address, as for all of AWS's SDKs."""

    def __init__(self, environ: Mapping[str, str], region: str, sign: Sign) -> None:
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or region
        self._url = environ.get("AWS_ENDPOINT_URL_STS") or _address(self._region)
        self._sign = sign

    async def assume(self, role_arn: str, keys: AWSKeys) -> AWSKeys:
        """Assume a role with keys; raises AWSError, AWSRefusedError."""
        body = _form("AssumeRole", RoleArn=role_arn)
        parts = urlsplit(self._url)
        request = Outgoing("POST", parts.netloc, parts.path or "/", body)
        return await self._keys(body, await self._sign(request, keys, self._region), f"the role {role_arn}")

    async def assume_by_token(self, role_arn: str, token: str) -> AWSKeys:
        """Assume a role with a token of a ServiceAccount; raises AWSError, AWSRefusedError."""
        body = _form("AssumeRoleWithWebIdentity", RoleArn=role_arn, WebIdentityToken=token)
        return await self._keys(body, {}, f"the pod's role {role_arn}")

    async def _keys(self, body: bytes, signature: Mapping[str, str], role: str) -> AWSKeys:
        answer = await exchange.ask(
            "POST", self._url, headers={"Content-Type": _FORM, **signature}, body=body
        )
        host = urlsplit(self._url).netloc
        if answer.status != 200:  # noqa: PLR2004 - all of its good answers are
            code, words = _element(answer.text, "Code") or "", _element(answer.text, "Message") or ""
            said = f"{host} does not give {role} (HTTP {answer.status} {code}: {words.rstrip('.')})"
            later = answer.status >= 500 or answer.status == 429 or code in _NOT_NOW  # noqa: PLR2004
            raise AWSError(said) if later or not code else AWSRefusedError(said)
        return read_keys(
            host,
            access_key=_element(answer.text, "AccessKeyId"),
            secret_key=_element(answer.text, "SecretAccessKey"),
            session_token=_element(answer.text, "SessionToken"),
            expires=_element(answer.text, "Expiration"),
        )


def read_keys(
    host: str,
    *,
    access_key: str | None,
    secret_key: str | None,
    session_token: str | None,
    expires: str | None,
) -> AWSKeys:
    """Return temporary keys from their texts; raises AWSError when `host` has left something out."""
    try:
        end = datetime.fromisoformat(expires or "")
    except ValueError:
        end = None
    if not (access_key and secret_key and session_token and end and end.tzinfo):
        raise AWSError(f"the answer of {host} holds no keys")
    return AWSKeys(access_key, secret_key, session_token, end)


def _address(region: str) -> str:
    suffix = next((its for start, its in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
    return f"https://sts.{region}.{suffix}/"


def _form(action: str, **fields: str) -> bytes:
    common = {"Action": action, "Version": "2011-06-15", "RoleSessionName": NAME, "DurationSeconds": _SECONDS}
    return urlencode({**common, **fields}).encode()


def _element(document: str, name: str) -> str | None:
    """Return the text of the first element of that name; those that are asked for hold no others."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", document)
    return html.unescape(found[1]) if found else None
