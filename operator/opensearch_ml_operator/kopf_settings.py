"""How kopf is set up: no state of its own in our objects, bounded connections, no Events, quick stop."""

from __future__ import annotations

from typing import Any

import aiohttp
import kopf

from .constants import FINALIZER, GROUP

_CONNECTIONS = 32
"""For finalizer patches; thousands of new objects would otherwise mean thousands of connections."""


class NoDiffBase(kopf.DiffBaseStorage):
    """The reconcilers compare generations themselves: nothing to store in annotations, nothing to copy."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        """Return the same for every version, so that kopf itself never sees a change."""
        del body, extra_fields
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return what `build` returns: not None, which would make every event a creation."""
        del body
        return kopf.BodyEssence({})

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def build_settings() -> kopf.OperatorSettings:
    """Return kopf's settings; where one is not its default, the reason is beside it."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = NoDiffBase()
    # A prefix of our own keeps a second kopf operator apart; one that begins with kopf. costs no marker.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}", v1=False)
    settings.peering.standalone = True  # the Lease elects; kopf's peering trusts wall clocks
    settings.scanning.disabled = True  # the kinds are fixed, and checked at start
    settings.posting.enabled = False  # Events are ours, on transitions
    # Memory. Not less: the API server reads each page but the first from etcd, whatever its size.
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 600
    settings.watching.connect_timeout = 5
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.queueing.idle_timeout = 0.5  # memory: kopf's worker of a resting object ends at once
    settings.queueing.exit_timeout = 20  # running finalizations may record what they have done
    settings.execution.default_backoff = 15
    return settings


class Login:
    """Opens kopf's session: the file in KUBECONFIG, else the pod's ServiceAccount, else ~/.kube/config.

    kopf reads the environment itself; `prefer_kubeconfig` only sets the order, that of `kube.login.connect`.
    `server` is the address that the other client found: in a pod kopf would take a name, and need a DNS that
    works before anything else does.
    """

    def __init__(self, *, server: str, prefer_kubeconfig: bool, watches: int) -> None:
        self._server = server
        self._sources = [kopf.login_with_service_account, kopf.login_with_kubeconfig]
        if prefer_kubeconfig:
            self._sources.reverse()
        self._limit = _CONNECTIONS + watches

    async def __call__(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        """Log in; kopf calls again when the API server no longer accepts the token, which rotates hourly."""
        info = next((info for source in self._sources if (info := source(**kwargs)) is not None), None)
        if info is None:
            return None
        connector = aiohttp.TCPConnector(limit=self._limit, ssl=info.as_ssl_context())
        return kopf.AiohttpSession(
            server=self._server,
            default_namespace=info.default_namespace,
            aiohttp_session=aiohttp.ClientSession(connector=connector, headers=info.as_http_headers()),
        )
