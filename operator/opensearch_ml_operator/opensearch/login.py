"""Who we are, as headers of each request. A client certificate is not among them: TLS shows it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import AWSError, MLCode, MLError, OperatorError
from ..reconcilers.aws import AWSSource, Outgoing, Signing
from ..reconcilers.ports import AccountToken, ConnectionSettings, TokenSource


class Login(Protocol):
    """Makes the headers that say who we are."""

    async def headers(self, request: Outgoing) -> Mapping[str, str]:
        """Return the headers for this request; raises MLError, and then nothing was sent."""

    def refused(self) -> None:
        """Take note that the cluster answered 401."""


@dataclass(frozen=True, slots=True)
class FixedLogin:
    """The same header all the time; none for a cluster that needs no login, or sees a certificate."""

    authorization: str | None = field(default=None, repr=False)

    async def headers(self, request: Outgoing) -> Mapping[str, str]:
        """Return the header."""
        del request
        return {"Authorization": self.authorization} if self.authorization is not None else {}

    def refused(self) -> None:
        """Do nothing: there is no other header to try."""


@dataclass(frozen=True, slots=True)
class AccountLogin:
    """A token of the operator's ServiceAccount, the newest for each request."""

    tokens: TokenSource
    wanted: AccountToken

    async def headers(self, request: Outgoing) -> Mapping[str, str]:
        """Return the header with a token that is valid now."""
        del request
        try:
            token = await self.tokens.token(self.wanted)
        except OperatorError as error:
            raise MLError(MLCode.NOT_SENT, f"no token of the ServiceAccount: {error}") from None
        return {"Authorization": f"Bearer {token}"}

    def refused(self) -> None:
        """Ask for a new token next time."""
        self.tokens.forget(self.wanted)


@dataclass(frozen=True, slots=True)
class SignedLogin:
    """A signature for each request: it holds for this one, on this host, for some minutes."""

    aws: AWSSource
    signing: Signing

    async def headers(self, request: Outgoing) -> Mapping[str, str]:
        """Return the headers that sign the request."""
        try:
            return await self.aws.sign(self.signing, request)
        except AWSError as error:
            raise MLError(MLCode.NOT_SENT, f"nothing to sign with: {error}") from None

    def refused(self) -> None:
        """Get other keys next time."""
        self.aws.forget(self.signing.identity)


def login_of(settings: ConnectionSettings, tokens: TokenSource, aws: AWSSource) -> Login:
    """Return the login that the settings speak of."""
    if settings.signing is not None:
        return SignedLogin(aws, settings.signing)
    if settings.account_token is not None:
        return AccountLogin(tokens, settings.account_token)
    if settings.bearer is not None:
        return FixedLogin(f"Bearer {settings.bearer}")
    if settings.username is not None and settings.password is not None:
        pair = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
        return FixedLogin(f"Basic {pair}")
    return FixedLogin()
