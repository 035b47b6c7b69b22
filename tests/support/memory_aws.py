"""The port for credentials of AWS in memory: numbered keys, and signatures that say whose they are."""

from __future__ import annotations

from collections.abc import Mapping

from opensearch_ml_operator.reconcilers.aws import AWSIdentity, AWSKeys, Outgoing, Signing


class MemoryAWS:
    """Gives keys to everybody; `failure` is raised instead when it is set."""

    def __init__(self, *, for_teams: bool = False) -> None:
        self.for_teams = for_teams
        self.failure: Exception | None = None
        self.asked: list[AWSIdentity] = []
        self.forgotten: list[AWSIdentity] = []

    async def credentials(self, wanted: AWSIdentity) -> AWSKeys:
        self.asked.append(wanted)
        if self.failure is not None:
            raise self.failure
        return AWSKeys(f"AKIA{len(self.asked)}", "secret-of-memory")

    async def sign(self, signing: Signing, request: Outgoing) -> Mapping[str, str]:
        keys = await self.credentials(signing.identity)
        return {"Authorization": f"Signed {keys.access_key} {request.method} {request.host}{request.target}"}

    def forget(self, wanted: AWSIdentity) -> None:
        self.forgotten.append(wanted)
