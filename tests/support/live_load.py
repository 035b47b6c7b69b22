"""A steady load of predictions on a live model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from support.live_remote import ML
from support.live_stage import Stage


class Load:
    """Calls a model at a steady rate and remembers what was answered."""

    def __init__(self, stage: Stage, model_id: str, *, per_second: float) -> None:
        self.statuses: list[int] = []
        self._stage = stage
        self._path = f"{ML}/models/{model_id}/_predict"
        self._per_second = per_second
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        with self._stage.remote.node.client() as client:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                self.statuses.append(self._call(client))
                due += 1 / self._per_second

    def _call(self, client: httpx.Client) -> int:
        try:
            return client.post(self._path, json={"parameters": {"input": ["under load"]}}).status_code
        except httpx.HTTPError:
            return 0
