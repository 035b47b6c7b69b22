"""The port for tokens in memory: each one given out is numbered."""

from __future__ import annotations

from opensearch_ml_operator.reconcilers.ports import AccountToken


class MemoryTokens:
    """Gives tokens for `audiences`; `failure` is raised instead when it is set."""

    def __init__(self, *audiences: str) -> None:
        self.audiences = audiences
        self.failure: Exception | None = None
        self.given: list[str] = []
        self._current: dict[AccountToken, str] = {}

    def allowed(self, audience: str) -> bool:
        return audience in self.audiences

    async def token(self, wanted: AccountToken) -> str:
        if self.failure is not None:
            raise self.failure
        if wanted not in self._current:
            self.given.append(f"token-{len(self.given) + 1}-for-{wanted.audience}")
            self._current[wanted] = self.given[-1]
        return self._current[wanted]

    def forget(self, wanted: AccountToken) -> None:
        self._current.pop(wanted, None)
