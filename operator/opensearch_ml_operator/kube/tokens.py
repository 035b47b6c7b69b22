"""Tokens of the operator's own ServiceAccount for others than the API server: kept in memory alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from ..errors import KubernetesForbiddenError, KubernetesUnavailableError, ObjectGoneError
from ..reconcilers.ports import AccountToken
from .client import KubeClient
from .targets import SERVICE_ACCOUNTS, Target

RENEW_AT: Final = 0.8
"""Part of its life after which a token is renewed, as the kubelet does."""
RETRY_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Token:
    text: str = field(repr=False)
    renew_at: float
    ends_at: float


class KubeTokenSource:
    """Implements `TokenSource` by the TokenRequest API. `clock` is monotonic, in seconds.

    `audiences` are those that the installation allows: whoever may create a connection can have such a token
    sent to an address of their own choice. `learn` is told of each token, so that it is masked from then on.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        audiences: Collection[str],
        learn: Callable[[bytes], None],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._target = Target(SERVICE_ACCOUNTS, namespace, name, "token")
        self._audiences = frozenset(audiences)
        self._learn = learn
        self._clock = clock
        self._tokens: dict[AccountToken, _Token] = {}
        self._turns: defaultdict[AccountToken, asyncio.Lock] = defaultdict(asyncio.Lock)

    def allowed(self, audience: str) -> bool:
        """Whether the installation lets connections have tokens for this audience."""
        return audience in self._audiences

    async def token(self, wanted: AccountToken) -> str:
        """Return one with a fifth of its life before it, or less while the API server is away.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        async with self._turns[wanted]:  # the first of many asks for all of them
            known = self._tokens.get(wanted)
            if known is None or self._clock() >= known.renew_at:
                known = self._tokens[wanted] = await self._renewed(wanted, known)
            return known.text

    def forget(self, wanted: AccountToken) -> None:
        """Renew the token at the next call."""
        self._tokens.pop(wanted, None)

    async def _renewed(self, wanted: AccountToken, known: _Token | None) -> _Token:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [wanted.audience], "expirationSeconds": wanted.seconds},
        }
        asked = self._clock()
        try:
            answer = await self._client.request("POST", self._target, body)
        except KubernetesUnavailableError:
            if known is None or asked >= known.ends_at:
                raise
            known.renew_at = asked + RETRY_SECONDS
            return known
        except ObjectGoneError as error:  # ours, not the object's that is being reconciled
            raise KubernetesForbiddenError(str(error)) from None
        text = str(answer["status"]["token"])
        self._learn(text.encode())
        # The server may shorten it. Its expirationTimestamp is by the clock of another machine.
        life = float(answer["spec"]["expirationSeconds"])
        return _Token(text, asked + RENEW_AT * life, asked + life)
