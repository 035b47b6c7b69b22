"""Who we are, as headers of each request. A client certificate is not among them: TLS shows it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import MLCode, MLError, OperatorError
from ..reconcilers.ports import AccountToken, ConnectionSettings, TokenSource


class Login(Protocol):
    """Makes the headers that say who we are."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers for the next request; raises MLError, and then nothing was sent."""

    def refused(self) -> None:
        """Take note that the cluster answered 401."""


@dataclass(frozen=True, slots=True)
class FixedLogin:
    """The same header all the time; none for a cluster that needs no login, or sees a certificate."""

    authorization: str | None = field(default=None, repr=False)

    async def headers(self) -> Mapping[str, str]:
        """Return the header."""
        return {"Authorization": self.authorization} if self.authorization is not None else {}

    def refused(self) -> None:
        """Do nothing: there is no other header to try."""


@dataclass(frozen=True, slots=True)
class AccountLogin:
    """A token of the operator's ServiceAccount, the newest for each request."""

    tokens: TokenSource
    wanted: AccountToken

    async def headers(self) -> Mapping[str, str]:
        """Return the header with a token that is valid now."""
        try:
            token = await self.tokens.token(self.wanted)
        except OperatorError as error:
            raise MLError(MLCode.NOT_SENT, f"no token of the ServiceAccount: {error}") from None
        return {"Authorization": f"Bearer {token}"}

    def refused(self) -> None:
        """Ask for a new token next time."""
        self.tokens.forget(self.wanted)


def login_of(settings: ConnectionSettings, tokens: TokenSource) -> Login:
    """Return the login that the settings speak of."""
    if settings.account_token is not None:
        return AccountLogin(tokens, settings.account_token)
    if settings.bearer is not None:
        return FixedLogin(f"Bearer {settings.bearer}")
    if settings.username is not None and settings.password is not None:
        pair = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
        return FixedLogin(f"Basic {pair}")
    return FixedLogin()
