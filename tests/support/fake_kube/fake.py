"""The fake API server as tests use it."""

from __future__ import annotations

import copy
import dataclasses
import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .calls import RESOURCES, Call, Resource
from .faults import Fault
from .patches import JSON, MERGE
from .refusals import RefusedError
from .server import Server
from .store import Store
from .watches import Watches

Body = dict[str, Any]
DEFAULT = "default"


class FakeKube:
    """An API server on loopback for the length of a context. What is done to it here is not counted.

    `now` is what it takes the times of objects from.
    """

    def __init__(
        self,
        *,
        bookmark_seconds: float = 1.0,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tls = tls
        self._store = Store(now)
        self._watches = Watches(self._store, bookmark_seconds)
        self._server = Server(self._store, self._watches)
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._server.handle)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        self._site: web.TCPSite | None = None
        self._port = 0
        self._ensure_namespace(DEFAULT)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watches.cut()
        await self._runner.cleanup()

    @property
    def logs(self) -> dict[str, str]:
        """The logs of pods, by their names."""
        return self._server.logs

    @property
    def version(self) -> int:
        """The resourceVersion of the newest change: while it stands still, nothing has changed."""
        return self._store.version

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def kubeconfig(self, path: Path, *, token: str = "admin") -> Path:
        """Write a kubeconfig (JSON is YAML) that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {"token": token}}],
        }
        path.write_text(json.dumps(config), "utf-8")
        return path

    # Objects

    def create(self, plural: str, body: Mapping[str, Any], namespace: str = DEFAULT) -> Body:
        """Create an object, and its namespace where it is missing; metadata.namespace goes first."""
        resource = RESOURCES[plural]
        namespace = _scope(resource, body.get("metadata", {}).get("namespace") or namespace)
        if namespace:
            self._ensure_namespace(namespace)
        return copy.deepcopy(self._store.create(resource, namespace, dict(body)))

    def get(self, plural: str, name: str, namespace: str = DEFAULT) -> Body | None:
        """Return a copy of an object, None when it does not exist."""
        resource = RESOURCES[plural]
        try:
            return copy.deepcopy(self._store.get(resource, _scope(resource, namespace), name))
        except RefusedError:
            return None

    def patch(
        self,
        plural: str,
        name: str,
        patch: Mapping[str, Any],
        namespace: str = DEFAULT,
        *,
        subresource: str = "",
    ) -> Body:
        """Merge-patch an object as it stands."""
        resource = RESOURCES[plural]
        body = self._store.patch(resource, _scope(resource, namespace), name, subresource, MERGE, dict(patch))
        return copy.deepcopy(body)

    def patch_spec(self, plural: str, name: str, spec: Mapping[str, Any], namespace: str = DEFAULT) -> Body:
        """Merge-patch the spec of an object."""
        return self.patch(plural, name, {"spec": spec}, namespace)

    def replace_spec(self, plural: str, name: str, spec: Mapping[str, Any], namespace: str = DEFAULT) -> Body:
        """Give an object another spec."""
        resource = RESOURCES[plural]
        patch = [{"op": "replace", "path": "/spec", "value": dict(spec)}]
        body = self._store.patch(resource, _scope(resource, namespace), name, "", JSON, patch)
        return copy.deepcopy(body)

    def annotate(
        self, plural: str, name: str, annotations: Mapping[str, str | None], namespace: str = DEFAULT
    ) -> Body:
        """Set annotations, or remove those that are None."""
        return self.patch(plural, name, {"metadata": {"annotations": annotations}}, namespace)

    def delete(self, plural: str, name: str, namespace: str = DEFAULT) -> None:
        """Ask for the deletion of an object, as `kubectl delete --wait=false` does."""
        resource = RESOURCES[plural]
        self._store.delete(resource, _scope(resource, namespace), name)

    def vanish(self, plural: str, name: str, namespace: str = DEFAULT) -> None:
        """Remove an object so that no watch ever tells."""
        resource = RESOURCES[plural]
        self._store.vanish(resource, _scope(resource, namespace), name)

    def objects(self, plural: str, namespace: str = "") -> list[Body]:
        """Return copies of all objects of a resource, of all namespaces by default."""
        return copy.deepcopy(self._store.list(RESOURCES[plural], namespace))

    def past(self, plural: str) -> list[Body]:
        """Return every state that objects of a resource have had, in their order."""
        return [
            copy.deepcopy(change.body) for change in self._store.past() if change.resource.plural == plural
        ]

    @property
    def events(self) -> list[Body]:
        """The Events that were posted."""
        return self.objects("events")

    # What was asked

    @property
    def calls(self) -> list[Call]:
        """All requests for resources, in their order."""
        return list(self._server.calls)

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        """How many requests there were, by verb, resource and subresource."""
        return Counter[tuple[str, str, str]](call.counted for call in self._server.calls)

    def reset_counts(self) -> None:
        """Count from zero again."""
        self._server.calls.clear()

    # What goes wrong

    def fail(self, fault: Fault) -> None:
        """Let the next requests that the fault meets fail."""
        self._server.faults.add(dataclasses.replace(fault))

    def heal(self) -> None:
        """Forget all faults."""
        self._server.faults.clear()

    def intercept(
        self,
        *,
        before: Callable[[Call], Awaitable[None]] | None = None,
        after: Callable[[Call], Awaitable[None]] | None = None,
    ) -> None:
        """Let coroutine functions see each request before, or after, it is carried out.

        A ConnectionError from them cuts the connection. Watches have no end, so only their beginning is seen.
        """
        self._server.before, self._server.after = before, after

    def accept_tokens(self, tokens: Collection[str] | None) -> None:
        """Refuse everybody else with 401; None lets everybody in."""
        self._server.tokens = tokens

    @property
    def issued_tokens(self) -> list[str]:
        """The tokens of ServiceAccounts that were asked for, in their order."""
        return list(self._server.issued)

    def limit_tokens(self, seconds: int) -> None:
        """Give no token for longer than that, whatever is asked for."""
        self._server.longest_life = seconds

    def cut_watches(self) -> None:
        """Drop the connections of all watches."""
        self._watches.cut()

    def compact(self) -> None:
        """Forget the past: watches from an older version and lists that go on get a 410."""
        self._store.compact()
        self._server.pages.expire()

    async def stop(self, *, keep_watches: bool = False) -> None:
        """Go away: connections are refused, requests on open ones cut.

        A real API server that is asked to stop keeps its watches going for another minute.
        """
        self._server.away = True
        if self._site is not None:
            await self._site.stop()
            self._site = None
        if not keep_watches:
            self._watches.cut()

    async def start(self) -> None:
        """Come back on the same port, with all objects."""
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls)
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self._server.away = False

    def _ensure_namespace(self, name: str) -> None:
        if self.get("namespaces", name) is None:
            self._store.create(RESOURCES["namespaces"], "", {"metadata": {"name": name}})


def _scope(resource: Resource, namespace: str) -> str:
    return namespace if resource.namespaced else ""
