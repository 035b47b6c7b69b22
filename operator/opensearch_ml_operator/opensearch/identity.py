"""Which cluster answers: absence on another one proves nothing.

A name can lead to another cluster from one moment to the next (DNS, a load balancer, a restored snapshot).
There every object is missing: believed, all would be created anew there and left behind here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import MLCode, MLError
from .operations import Operation
from .schemas import Info, read
from .transport import Transport

FRESH: Final = 2.0
"""Seconds for which a look counts: a burst of deletions asks once."""


class ClusterIdentity:
    """The cluster that the first health check found; `clock` is monotonic, in seconds."""

    def __init__(self, transport: Transport, *, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock
        self._expected: str | None = None
        self._confirmed_at = float("-inf")

    def learn(self, uuid: str) -> None:
        """Take the first answer for the cluster that is meant; a later one cannot change that."""
        self._expected = self._expected or uuid
        if uuid == self._expected:
            self._confirmed_at = self._clock()

    async def confirm(self) -> None:
        """Raise MLError AMBIGUOUS unless it is still the cluster that was found first."""
        if self._expected is None or self._clock() - self._confirmed_at < FRESH:
            return
        asked = self._clock()
        info = read(
            Info, await self._transport.call(Operation.GET_INFO, "GET", "/"), doing=Operation.GET_INFO
        )
        if info.cluster_uuid != self._expected:
            raise MLError(
                MLCode.AMBIGUOUS,
                f"the endpoints lead to cluster {info.cluster_uuid}, and not to {self._expected} as before",
            )
        self._confirmed_at = asked
