"""One client per connection, and whether it may be used: the port `ConnectionPool`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from ..models.snapshot import ObjectKey
from ..reconcilers.aws import AWSSource
from ..reconcilers.ports import ConnectionSettings, GateName, ServerInfo, TokenSource
from . import searches
from .gate import Bounds, Gate
from .identity import ClusterIdentity
from .imprint import Imprint
from .login import login_of
from .mentions import MentionReader
from .mlcommons import MLCommonsClient, get
from .observations import Observations
from .operations import Operation
from .transport import Transport

_LET_THROUGH: Final[Mapping[Operation, GateName]] = {
    Operation.REGISTER_MODEL: "register",
    Operation.DEPLOY_MODEL: "deploy",
}
_AT_EASE: Final = 4
"""How many registers, and deploys, a node with default settings took in every run (2.19, 3.6 seen)."""
_REFUSES: Final = 10
"""How many such a node takes before it refuses more: with other settings, or more nodes, in proportion."""
_SLOW: Final = 10.0
"""Seconds after which a register or deploy is answered by a server in trouble; 20 to 400 ms are usual."""
_TOO_MANY_REQUESTS: Final = "429"

PoolObserver: TypeAlias = Callable[[ObjectKey, Operation, str, float], None]
"""Called after each request: connection, operation, HTTP status or the code of a missing answer, seconds."""


@dataclass(slots=True)
class _Client:
    settings: ConnectionSettings
    transport: Transport
    client: MLCommonsClient
    checked: bool = False
    available: bool = False
    private_addresses_allowed: bool = True
    tasks_at_once: Mapping[GateName, int] = field(default_factory=dict)


class Pool:
    """Builds, replaces and closes clients; a call that does not get through closes the connection for all.

    `on_failure` is then called once, `wake` for each owner that a gate has room for again; `exists` tells
    whether an owner is still there.
    """

    def __init__(
        self,
        *,
        observer: PoolObserver,
        tokens: TokenSource,
        aws: AWSSource,
        on_failure: Callable[[ObjectKey], None],
        wake: Callable[[ObjectKey], None],
        clock: Callable[[], float],
        exists: Callable[[ObjectKey], bool] = lambda _: True,
        transport: Callable[..., Transport] = Transport,
    ) -> None:
        self._transport = transport
        self._observer = observer
        self._tokens = tokens
        self._aws = aws
        self._on_failure = on_failure
        self._wake = wake
        self._exists = exists
        self._clock = clock
        self._clients: dict[ObjectKey, _Client] = {}
        self._gates: dict[tuple[ObjectKey, GateName], Gate] = {}

    def client(self, key: ObjectKey) -> MLCommonsClient | None:
        """Return the client, or None until the first health check of these settings is over."""
        current = self._clients.get(key)
        return current.client if current is not None and current.checked else None

    def available(self, key: ObjectKey) -> bool:
        """Whether the last health check succeeded and no call has failed to get through since."""
        current = self._clients.get(key)
        return current is not None and current.available

    def private_addresses_allowed(self, key: ObjectKey) -> bool:
        """Whether connectors may call private addresses; True as long as nobody knows."""
        current = self._clients.get(key)
        return current is None or current.private_addresses_allowed

    def gate(self, key: ObjectKey, name: GateName) -> Gate:
        """Return the connection's gate for this purpose; it outlives the client."""
        gate = self._gates.get((key, name))
        if gate is None:
            bounds = self._bounds(key, name)
            gate = self._gates[key, name] = Gate(bounds, self._wake, clock=self._clock, exists=self._exists)
        return gate

    def loads(self) -> Iterator[tuple[ObjectKey, str, int, int]]:
        """Tell of each gate how many are inside and may be: connection, gate, owners, limit."""
        for (key, name), gate in self._gates.items():
            yield key, name, gate.inside, gate.limit

    def certificates(self) -> Iterator[tuple[ObjectKey, float]]:
        """Tell until when the clusters' certificates are good: connection, seconds since 1970."""
        for key, current in self._clients.items():
            if (end := current.transport.certificate_expiry) is not None:
                yield key, end

    async def put(self, key: ObjectKey, settings: ConnectionSettings) -> MLCommonsClient:
        """Return the client with these settings, made anew (and not available yet) if they have changed."""
        old = self._clients.get(key)
        if old is not None and old.settings == settings:
            return old.client
        new = self._build(key, settings)
        self._clients[key] = new
        if old is not None:
            new.tasks_at_once = old.tasks_at_once
        self._resize_gates(key)
        if old is not None:
            await old.transport.retire(new.transport if _place(old.settings) == _place(settings) else None)
        return new.client

    async def drop(self, key: ObjectKey) -> None:
        """Forget the connection; its client is closed when the calls in flight are done."""
        old = self._clients.pop(key, None)
        for gate_key in [gate_key for gate_key in self._gates if gate_key[0] == key]:
            del self._gates[gate_key]
        if old is not None:
            await old.transport.retire()

    def report(self, key: ObjectKey, found: ServerInfo | None) -> None:
        """Record the result of a health check; nothing for a connection that is gone."""
        current = self._clients.get(key)
        if current is not None:
            current.checked = True
            current.available = found is not None
            if found is not None:
                current.private_addresses_allowed = found.private_addresses_allowed
                current.tasks_at_once = found.tasks_at_once
                self._resize_gates(key)

    async def aclose(self) -> None:
        """Drop all connections."""
        for key in tuple(self._clients):
            await self.drop(key)

    def _resize_gates(self, key: ObjectKey) -> None:
        for (owner, name), gate in self._gates.items():
            if owner == key:
                gate.resize(self._bounds(key, name))

    def _bounds(self, key: ObjectKey, name: GateName) -> Bounds:
        current = self._clients.get(key)
        settings = current.settings if current is not None else ConnectionSettings(endpoints=())
        return _bounds(settings, current.tasks_at_once if current is not None else {}, name)

    def _build(self, key: ObjectKey, settings: ConnectionSettings) -> _Client:
        transport: Transport = self._transport(
            settings,
            login=login_of(settings, self._tokens, self._aws),
            observer=partial(self._observe, key),
            on_unusable=lambda: self._break(key, transport),
            clock=self._clock,
        )
        client = client_over(transport, clock=self._clock, imprint=Imprint(settings.imprint))
        return _Client(settings, transport, client)

    def _observe(self, key: ObjectKey, operation: Operation, code: str, seconds: float) -> None:
        """Pass on what was observed; the gates learn from the answers to what they let through."""
        self._observer(key, operation, code, seconds)
        name = _LET_THROUGH.get(operation)
        gate = self._gates.get((key, name)) if name is not None else None
        if gate is not None:
            if code.startswith("2") and seconds < _SLOW:
                gate.good()
            elif not code.startswith("4") or code == _TOO_MANY_REQUESTS:
                gate.trouble()

    def _break(self, key: ObjectKey, transport: Transport) -> None:
        """Mark the connection unusable, unless it has another client by now."""
        current = self._clients.get(key)
        if current is not None and current.transport is transport and current.available:
            current.available = False
            self._on_failure(key)


def client_over(transport: Transport, *, clock: Callable[[], float], imprint: Imprint) -> MLCommonsClient:
    """Return the typed calls over one transport."""
    identity = ClusterIdentity(transport, clock=clock)
    observations = Observations(
        search=partial(searches.by_ids, transport), get=partial(get, transport, identity), clock=clock
    )
    mentions = MentionReader(transport, identity, clock=clock)
    return MLCommonsClient(transport, observations, identity, mentions, imprint)


def _place(settings: ConnectionSettings) -> tuple[object, ...]:
    """Return what decides which cluster answers; after a change the health check has to see it first."""
    return settings.endpoints, settings.ca, settings.server_name


def _bounds(settings: ConnectionSettings, tasks_at_once: Mapping[GateName, int], name: GateName) -> Bounds:
    """Return how many may be inside a gate: as the spec says, and no more than the cluster takes.

    Registers and deploys begin with a part of what it takes, because it breaks before it refuses.
    """
    limits: Mapping[GateName, int] = {
        "group": settings.max_in_flight,  # a request like others; two of one name must not meet
        "register": settings.max_registers,
        "deploy": settings.max_deploys,
        "probe": settings.max_probes,
        "settings": 1,  # a list is read, then written whole: two at a time would lose each other's entries
    }
    most = limits[name]
    if name not in _LET_THROUGH.values():
        return Bounds(start=most, most=most)
    takes = tasks_at_once.get(name, _REFUSES)
    most = max(1, min(most, takes))
    return Bounds(start=max(1, min(most, takes * _AT_EASE // _REFUSES)), most=most)
