"""Leader election by a Lease: one process reconciles, the others wait.

It saves work. What keeps data safe is compare-and-set in Kubernetes; for OpenSearch, which has none, it is
`check` right before each request: a leader that was frozen, and wakes up after its time, sends nothing more.
The clocks of other processes are never trusted: a Lease is over when its record has not changed for its
duration on our own clock (as client-go does it).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import OperatorError, StatusConflictError
from .client import MERGE_PATCH, KubeClient
from .targets import LEASES, Target

_RELEASE: Final = 5.0
_logger = logging.getLogger(__name__)


class LeadershipLostError(OperatorError):
    """We do not lead any more, or cannot know it: the process must end at once."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. Whoever leads gives up (`renew_deadline`) well before others may take over (`duration`)."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class LeaderElection:
    """Use in this order: `acquire`, then `hold` beside the work, and `check` in it, then `release`."""

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._lease = Target(LEASES, namespace, name)
        self._leases = Target(LEASES, namespace)
        self._identity = identity
        self._timing = timing or Timing()
        self._clock = clock
        self._now = now
        self._seen: Mapping[str, Any] = {}
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._problem = ""

    async def acquire(self) -> None:
        """Wait until we lead, for as long as it takes; what goes wrong is logged and tried again."""
        while not await self._attempt(self._timing.renew_deadline):  # noqa: ASYNC110 - nobody could tell us
            await asyncio.sleep(self._timing.retry)
        _logger.info("%s leads.", self._identity)

    async def hold(self) -> None:
        """Renew the Lease until cancelled. Raises LeadershipLostError when it is not ours any more."""
        while (left := self._left()) > 0:
            await asyncio.sleep(min(self._timing.retry, left))
            if not await self._attempt(self._left()) and self._holder not in {"", self._identity}:
                raise LeadershipLostError(f"the Lease is held by {self._holder}")
        raise LeadershipLostError(f"the Lease could not be renewed for {self._timing.renew_deadline:g} s")

    def check(self) -> None:
        """Raise LeadershipLostError when the Lease is not renewed in time: others may lead by now."""
        if self._left() <= 0:
            raise LeadershipLostError(f"the Lease was not renewed for {self._timing.renew_deadline:g} s")

    async def release(self) -> None:
        """Give the Lease back if it is ours, once `hold` has ended; tries once, for 5 s at most."""
        with contextlib.suppress(OperatorError, TimeoutError):
            async with asyncio.timeout(_RELEASE):
                body = await self._client.read(self._lease)
                if body is not None and (body.get("spec") or {}).get("holderIdentity") == self._identity:
                    await self._patch(body, {"holderIdentity": "", "renewTime": self._timestamp()})

    @property
    def _holder(self) -> str:
        return self._seen.get("holderIdentity") or ""

    def _left(self) -> float:
        return self._renewed_at + self._timing.renew_deadline - self._clock()

    async def _attempt(self, seconds: float) -> bool:
        started = self._clock()  # the record is at least as young as its sender believes
        try:
            async with asyncio.timeout(seconds):
                leading = await self._take()
        except StatusConflictError:
            return False  # somebody was faster
        except (OperatorError, TimeoutError) as error:
            self._report(str(error) or "the API server did not answer in time")
            return False
        self._report("")
        if leading:
            self._renewed_at = started
        return leading

    async def _take(self) -> bool:
        """Write ourselves into the Lease unless another holds it. Raises StatusConflictError in a race."""
        body = await self._client.read(self._lease)
        if body is None:
            metadata = {"name": self._lease.name, "namespace": self._lease.namespace}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
            await self._client.request("POST", self._leases, {**lease, "spec": self._record(transitions=0)})
            return True
        self._look_at(body.get("spec") or {})
        if self._holder == self._identity:
            await self._patch(body, {"renewTime": self._timestamp()})
            return True
        if self._holder and self._clock() - self._seen_at < self._duration():
            return False
        await self._patch(body, self._record(transitions=(self._seen.get("leaseTransitions") or 0) + 1))
        return True

    def _look_at(self, spec: Mapping[str, Any]) -> None:
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()

    def _duration(self) -> float:
        """Return how long the holder may be silent: what it has promised itself, when that is longer."""
        return max(self._timing.duration, self._seen.get("leaseDurationSeconds") or 0)

    def _record(self, *, transitions: int) -> dict[str, Any]:
        moment = self._timestamp()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._timing.duration),
            "acquireTime": moment,
            "renewTime": moment,
            "leaseTransitions": transitions,
        }

    async def _patch(self, body: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        patch = {"metadata": {"resourceVersion": body["metadata"]["resourceVersion"]}, "spec": spec}
        await self._client.request("PATCH", self._lease, patch, content_type=MERGE_PATCH)

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            _logger.warning("Leader election: %s", problem)
        self._problem = problem
