"""Requests signed for AWS: by which identity, and what to do when AWS does not take the signature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ...constants import ConditionType, Reason
from ...errors import AWSError, AWSRefusedError
from ...models.connection import SigV4Auth
from ..aws import AWSIdentity, AWSKeys, AWSSource, Signing
from ..conditions import Fact, false

KEYS: Final = {"access_key": "access_key", "secret_key": "secret_key"}
OPTIONAL_KEYS: Final = {"session_token": "session_token"}
_LINE: Final = re.compile(r"[!-~]+")

_CLOCK: Final = "Set the clock of the operator's node: AWS takes no signature that is five minutes off."
_SCOPE: Final = "Correct spec.auth.sigv4.region and spec.auth.sigv4.service: they are those of the endpoint."
_CHANGED: Final = (
    "{keys} If they are right, something on the way changes the request: endpoints must lead to AWS "
    "under the very name that they have there."
)
_ADVICE: Final[tuple[tuple[str, str], ...]] = (
    ("Signature expired", _CLOCK),
    ("Signature not yet current", _CLOCK),
    ("Credential should be scoped", _SCOPE),
    ("signature we calculated does not match", _CHANGED),
)
"""What AWS says, and what helps; for all else other keys do."""


def keys_of(read: Mapping[str, str], secret: str) -> AWSKeys | Fact:
    """Return the keys that a Secret holds; `kubectl create secret --from-file` takes a line break along."""
    stripped = {name: value.strip() for name, value in read.items()}
    for name, value in stripped.items():
        if not _LINE.fullmatch(value):
            words = f"The value under {name} of Secret {secret} has blanks or line breaks, which no key has."
            return false(ConditionType.REACHABLE, Reason.SECRET_KEY_MISSING, words)
    return AWSKeys(stripped["access_key"], stripped["secret_key"], stripped.get("session_token"))


async def signing(aws: AWSSource, auth: SigV4Auth, keys: AWSKeys | None) -> Signing | Fact:
    """Get the first credentials here, where a refusal has a place to be shown."""
    if keys is None and auth.of_team and not aws.for_teams:
        words = (
            "This operator signs as itself for ClusterOpenSearchConnections alone. Name a Secret in "
            "spec.auth.sigv4.secretRef, or set aws.identityForTeams of the operator's chart."
        )
        return false(ConditionType.REACHABLE, Reason.PERMISSION_DENIED, words)
    identity = AWSIdentity(auth.region, keys, auth.role_arn)
    try:
        await aws.credentials(identity)
    except AWSRefusedError as error:
        words = f"No keys of AWS: {error}. {_whose(auth)}"
        return false(ConditionType.REACHABLE, Reason.AUTHENTICATION_FAILED, words)
    except AWSError as error:
        words = f"No keys of AWS: {error}. Check DNS and network policies of the operator's namespace."
        return false(ConditionType.REACHABLE, Reason.UNREACHABLE, words)
    return Signing(identity, auth.service)


def advice(auth: SigV4Auth, words: str) -> str:
    """Say what to do when AWS does not accept the signature, by its own words for it."""
    keys = _whose(auth)
    helps = next((helps for said, helps in _ADVICE if said in words), "{keys}")
    return helps.format(keys=keys)


def permission_advice(auth: SigV4Auth) -> str:
    """Say what to do when AWS or the Security plugin knows the identity and lets it do nothing."""
    role = f"the role {auth.role_arn}" if auth.role_arn else "the identity"
    return (
        f"Let the access policy of the domain allow es:ESHttp* to {role}, and map its ARN to the role of "
        "docs/opensearch-role.md."
    )


def _whose(auth: SigV4Auth) -> str:
    """Say where to look for the cause of a refusal."""
    role = f", and that the trust policy of {auth.role_arn} names them" if auth.role_arn else ""
    if auth.secret_ref is not None:
        return f"Check that the keys in the Secret {auth.secret_ref.name} are valid and not expired{role}."
    role = role.replace("them", "it")
    return f"Check the identity of the operator's ServiceAccount in AWS (docs/connections.md){role}."
