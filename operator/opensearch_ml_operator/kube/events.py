"""Kubernetes Events: posted without waiting, sent by one background task, lost rather than in the way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from ..constants import API_VERSION, NAME
from ..errors import KubernetesUnavailableError, OperatorError, StatusConflictError
from ..models.snapshot import Snapshot
from .client import KubeClient
from .targets import EVENTS, Target

_QUEUE: Final = 1_000
_REMEMBERED: Final = 10_000
_QUIET: Final = 600.0  # seconds in which the same Event about the same object is not posted again
_FLUSH: Final = 3.0
_PAUSES: Final = (2.0, 10.0)  # seconds before the second and the third try
_MESSAGE_BYTES: Final = 1_024  # limit of the API server
_NAME_CHARACTERS: Final = 236  # leaves room for the suffix in the 253 of a name

_logger = logging.getLogger(__name__)


class KubeEvents:
    """Implements `EventSink`. Somebody must run `run()`; `dropped` counts the Events that were lost."""

    def __init__(
        self,
        client: KubeClient,
        instance: str,
        *,
        observer: Callable[[Snapshot, str], None] = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._instance = instance
        self._observer = observer
        self._clock = clock
        self._now = now
        self._chance = chance or random.Random()  # noqa: S311 - names, not secrets
        self._sleep = sleep
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_QUEUE)
        self._posted: dict[tuple[str, str, str], float] = {}
        self._closed = False
        self.dropped = 0

    def post(self, snapshot: Snapshot, *, kind: str, reason: str, message: str) -> None:
        """Post an Event about the object; `kind` is Normal or Warning.

        An equal one about the same object is posted once in 10 minutes, and the observer is told of each.
        """
        self._observer(snapshot, reason)
        message = _shortened(message)
        if self._closed or self._is_repetition((snapshot.uid, reason, message)):
            return
        try:
            self._queue.put_nowait(self._event(snapshot, kind, reason, message))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Send what is posted, until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._send(event)
            finally:
                self._queue.task_done()

    async def aclose(self) -> None:
        """Take no more Events and give those in the queue at most 3 s to leave; then cancel `run()`."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH):
                await self._queue.join()
        self.dropped += self._queue.qsize()

    def _is_repetition(self, event: tuple[str, str, str]) -> bool:
        now = self._clock()
        if now - self._posted.get(event, -_QUIET) < _QUIET:
            return True
        self._posted.pop(event, None)  # so that the dict stays in the order of the times
        self._posted[event] = now
        while len(self._posted) > _REMEMBERED or now - next(iter(self._posted.values())) >= _QUIET:
            del self._posted[next(iter(self._posted))]
        return False

    def _event(self, snapshot: Snapshot, kind: str, reason: str, message: str) -> dict[str, Any]:
        key = snapshot.key
        seen = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{key.name[:_NAME_CHARACTERS]}.{self._chance.getrandbits(64):016x}",
                # Events about objects without a namespace live in `default` (client-go's recorder).
                "namespace": key.namespace or "default",
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": key.kind,
                **({"namespace": key.namespace} if key.namespace else {}),
                "name": key.name,
                "uid": snapshot.uid,
                "resourceVersion": snapshot.resource_version,
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": NAME},
            "reportingComponent": NAME,
            "reportingInstance": self._instance,
            "firstTimestamp": seen,
            "lastTimestamp": seen,
            "count": 1,
        }

    async def _send(self, event: dict[str, Any]) -> None:
        target = Target(EVENTS, event["metadata"]["namespace"])
        for pause in (*_PAUSES, None):
            try:
                await self._client.request("POST", target, event)
            except StatusConflictError:
                return  # the name is random: an earlier try has arrived after all
            except KubernetesUnavailableError as error:
                if pause is not None:
                    await self._sleep(max(pause, error.retry_after or 0))
                    continue
                self._lose(error)
            except OperatorError as error:
                self._lose(error)
            return

    def _lose(self, error: OperatorError) -> None:
        self.dropped += 1
        _logger.warning("An Event was not recorded: %s", error)


def _shortened(message: str) -> str:
    raw = message.encode()
    if len(raw) <= _MESSAGE_BYTES:
        return message
    return raw[: _MESSAGE_BYTES - 3].decode(errors="ignore") + "…"
