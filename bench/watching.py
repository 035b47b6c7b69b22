"""Sees when objects become Ready, as they become it: a list and a watch of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from support.live_kube import Kube, is_ready

SECONDS: Final = 3600.0
POLL: Final = 0.1

Document = dict[str, Any]


class Watch:
    """Follows one kind in one namespace in a thread; `seen` is told of every newer state."""

    def __init__(self, kube: Kube, kind: str) -> None:
        self.ready_at: dict[str, float] = {}
        """When each object was first seen Ready for its newest generation; forgotten when it is not."""
        self._kube = kube
        self._kind = kind
        self._changed = threading.Condition()
        self._over = False

    @contextmanager
    def running(self) -> Iterator[Watch]:
        """Follow while the context is open."""
        thread = threading.Thread(target=self._follow, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over = True

    def until(self, enough: Callable[[], bool]) -> None:
        """Wait until something holds of `ready_at`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(enough, SECONDS):
                raise TimeoutError(f"{len(self.ready_at)} objects of kind {self._kind} are Ready")

    def _follow(self) -> None:
        path = self._kube.path(self._kind)
        with self._kube.control_plane.client() as client:
            while (answer := client.get(path)).status_code == httpx.codes.TOO_MANY_REQUESTS:
                time.sleep(POLL)  # the API server has just heard of the kind
            listed = answer.raise_for_status().json()
            for document in listed["items"]:
                self._see(document, "ADDED")
            version = listed["metadata"]["resourceVersion"]
            while not self._over:
                try:
                    version = self._watch(client, path, version)
                except httpx.HTTPError:
                    if not self._over:  # else the servers may be going already
                        raise

    def _watch(self, client: httpx.Client, path: str, version: str) -> str:
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "5"}
        with client.stream("GET", path, params=params, timeout=10) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                version = event["object"]["metadata"]["resourceVersion"]
                self._see(event["object"], event["type"])
        return version

    def _see(self, document: Document, change: str) -> None:
        name = document["metadata"]["name"]
        with self._changed:
            if change != "DELETED" and is_ready(document):
                self.ready_at.setdefault(name, time.monotonic())
            else:
                self.ready_at.pop(name, None)
            self._changed.notify_all()
