"""Keys of AWS, kept in memory alone and renewed in time: the port `AWSSource`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Final

from ..errors import AWSError, AWSRefusedError
from ..reconcilers.aws import AWSIdentity, AWSKeys, Outgoing, Signing
from .own import own_keys
from .sts import STS

MARGIN: Final = timedelta(minutes=5)
"""Before their end keys are renewed, as AWS's SDKs do: a request takes its time, and clocks differ."""
RETRY: Final = timedelta(seconds=10)


@dataclass(slots=True)
class _Kept:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: AWSKeys | None = None
    renew_at: datetime | None = None


class Credentials:
    """Implements `AWSSource`. `environ` is where the pod's own identity is; None for somebody who is no pod.

    `learn` is told of each secret, so that it is masked from then on; `now` is the time of day, by which
    AWS judges the signatures.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None,
        *,
        for_teams: bool,
        learn: Callable[[bytes], None],
        now: Callable[[], datetime],
    ) -> None:
        self._environ = environ
        self._for_teams = for_teams
        self._learn = learn
        self._now = now
        self._kept: dict[AWSIdentity, _Kept] = {}

    @property
    def for_teams(self) -> bool:
        """Whether the installation lets the connections of a namespace be the pod itself."""
        return self._for_teams

    async def credentials(self, wanted: AWSIdentity) -> AWSKeys:
        """Return keys with five minutes before them, or less while nobody gives new ones.

        Raises AWSError, AWSRefusedError.
        """
        if wanted.keys is not None and wanted.role_arn is None:
            return wanted.keys
        kept = self._kept.setdefault(wanted, _Kept())
        async with kept.turn:  # the first of many asks for all of them
            if kept.keys is None or (kept.renew_at is not None and self._now() >= kept.renew_at):
                await self._renew(wanted, kept)
            if kept.keys is None:
                raise AWSError("no keys of AWS")
            return kept.keys

    async def sign(self, signing: Signing, request: Outgoing) -> Mapping[str, str]:
        """Return the headers that sign the request; raises AWSError, AWSRefusedError."""
        keys = await self.credentials(signing.identity)
        return await self._signed(request, keys, signing.identity.region, signing.service)

    def forget(self, wanted: AWSIdentity) -> None:
        """Get other keys at the next call."""
        self._kept.pop(wanted, None)

    async def _renew(self, wanted: AWSIdentity, kept: _Kept) -> None:
        self._drop_what_has_ended()
        asked = self._now()
        try:
            keys = await self._given(wanted)
        except AWSError:
            if kept.keys is None or kept.keys.expires is None or asked >= kept.keys.expires:
                raise
            kept.renew_at = asked + RETRY
            return
        for secret in (keys.access_key, keys.secret_key, keys.session_token):
            if secret is not None:
                self._learn(secret.encode())
        kept.keys = keys
        kept.renew_at = None
        if keys.expires is not None:
            kept.renew_at = keys.expires - min(MARGIN, (keys.expires - asked) / 5)

    async def _given(self, wanted: AWSIdentity) -> AWSKeys:
        sts = STS(self._environ or {}, wanted.region, self._signed_for_sts)
        if wanted.role_arn is None:
            if self._environ is None:
                raise AWSRefusedError(
                    "the identity is that of the operator's pod in AWS, which nobody else has"
                )
            return await own_keys(self._environ, sts, self._learn)
        keys = wanted.keys or await self.credentials(AWSIdentity(wanted.region))
        return await sts.assume(wanted.role_arn, keys)

    async def _signed_for_sts(self, request: Outgoing, keys: AWSKeys, region: str) -> Mapping[str, str]:
        return await self._signed(request, keys, region, "sts")

    async def _signed(self, request: Outgoing, keys: AWSKeys, region: str, service: str) -> Mapping[str, str]:
        signature = _signature()
        headers: Mapping[str, str] = await signature.sign(
            request, keys, region=region, service=service, at=self._now()
        )
        return headers

    def _drop_what_has_ended(self) -> None:
        """Forget the roles of keys that nobody has any more: each rotation of a Secret leaves one."""
        now = self._now()
        for identity, kept in tuple(self._kept.items()):
            if not kept.turn.locked() and kept.keys and kept.keys.expires and kept.keys.expires <= now:
                del self._kept[identity]


def _signature() -> ModuleType:
    try:
        from . import signature  # noqa: PLC0415 - see there: most installations sign nothing
    except ImportError:
        raise AWSRefusedError(
            "the operator was installed without what signs requests: install opensearch-ml-operator[aws]"
        ) from None
    return signature
