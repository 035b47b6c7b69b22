"""Who the pod is in AWS, by what AWS's own webhooks and agents put into its environment.

In the order of AWS's SDKs: keys in variables, a role for the ServiceAccount (IRSA), an agent for containers
(EKS Pod Identity, ECS). The role of the node is not among them: whoever may run a pod there has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ..errors import AWSError, AWSRefusedError
from ..reconcilers.aws import AWSKeys
from . import exchange
from .sts import STS, read_keys

_AGENT: Final = "http://169.254.170.2"
"""Where relative addresses lead: the agent of ECS."""


async def own_keys(environ: Mapping[str, str], sts: STS, learn: Callable[[bytes], None]) -> AWSKeys:
    """Return the keys of the pod itself; `learn` is told of the token that they were given for.

    Raises AWSError, AWSRefusedError.
    """
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        return AWSKeys(
            environ["AWS_ACCESS_KEY_ID"],
            environ["AWS_SECRET_ACCESS_KEY"],
            environ.get("AWS_SESSION_TOKEN") or None,
        )
    if environ.get("AWS_ROLE_ARN") and (file := environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")):
        token = await _read(file)
        learn(token.encode())
        return await sts.assume_by_token(environ["AWS_ROLE_ARN"], token)
    if url := environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return await _of_agent(url, environ, learn)
    if path := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return await _of_agent(_AGENT + path, environ, learn)
    raise AWSRefusedError(
        "the operator's pod has no identity in AWS: its environment names none (AWS_ROLE_ARN and "
        "AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_CREDENTIALS_FULL_URI, or AWS_ACCESS_KEY_ID)"
    )


async def _of_agent(url: str, environ: Mapping[str, str], learn: Callable[[bytes], None]) -> AWSKeys:
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if file := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = await _read(file)
    if token:
        learn(token.encode())
    answer = await exchange.ask("GET", url, headers={"Authorization": token} if token else None)
    host = urlsplit(url).netloc
    if answer.status != 200:  # noqa: PLR2004 - all of its good answers are
        raise AWSError(f"{host} does not give the pod's keys (HTTP {answer.status})")
    try:
        keys = json.loads(answer.text)
        names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
        access_key, secret_key, session_token, expires = (str(keys.get(name) or "") for name in names)
    except (ValueError, AttributeError, RecursionError):
        raise AWSError(f"the answer of {host} holds no keys") from None
    return read_keys(
        host, access_key=access_key, secret_key=secret_key, session_token=session_token, expires=expires
    )


async def _read(file: str) -> str:
    """Read a token that the kubelet renews."""
    try:
        return (await asyncio.to_thread(Path(file).read_text)).strip()
    except (OSError, ValueError) as error:
        raise AWSRefusedError(f"{file} cannot be read ({type(error).__name__})") from None
