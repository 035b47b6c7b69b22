"""Builds the operator out of its parts: who is given what. Nothing runs here."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from .aws.source import Credentials
from .config import Settings
from .constants import NAME
from .engine.cache import Cache
from .engine.catalog import KnownObjects
from .engine.controller import Controller
from .engine.links import Links
from .engine.queue import KeyedQueue
from .engine.stores import ReadYourWrites
from .engine.workers import Limits
from .fleet import Sources
from .health import Health
from .kube.client import KubeClient
from .kube.events import KubeEvents
from .kube.exports import KubeExports
from .kube.leases import LeaderElection, Timing
from .kube.secrets import KubeSecretSource
from .kube.status import KubeStatusStore
from .kube.tokens import KubeTokenSource
from .logs import Redactor
from .metrics import Metrics
from .models.kinds import KINDS
from .models.snapshot import ObjectKey, Snapshot
from .opensearch.pool import Pool
from .opensearch.transport import Transport
from .reconcilers.connection.reconciler import ConnectionReconciler
from .reconcilers.connector.reconciler import ConnectorReconciler
from .reconcilers.group.reconciler import GroupReconciler
from .reconcilers.model.reconciler import ModelReconciler
from .reconcilers.outcome import Reconciler
from .reconcilers.session import Ports
from .reconcilers.settings.reconciler import SettingsReconciler

PLURALS = {kind.kind: kind.plural for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts that live as long as the process."""

    controller: Controller
    pool: Pool
    events: KubeEvents
    kube: KubeClient
    health: Health
    metrics: Metrics
    redactor: Redactor
    identity: str
    election: LeaderElection | None
    """None when this process is told that it is the only one."""


def build(
    settings: Settings,
    kube: KubeClient,
    metrics: Metrics,
    redactor: Redactor,
    *,
    environ: Mapping[str, str],
    monotonic: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Operator:
    """Put the parts together; nothing runs yet.

    `environ` is where AWS tells a pod who it is. Both clocks must go at the pace of the event loop's.
    """
    identity = f"{settings.pod_name or NAME}-{uuid.uuid4().hex[:8]}"
    election = _election(settings, kube, identity, monotonic) if settings.leader_election else None
    cache, links = Cache(), Links()
    events = KubeEvents(kube, identity, observer=metrics.event)

    def wake(key: ObjectKey) -> None:
        controller.wake(key)

    def written(snapshot: Snapshot) -> None:
        controller.written(snapshot)

    tokens = KubeTokenSource(
        kube,
        namespace=settings.service_account_namespace,
        name=settings.service_account,
        audiences=settings.audiences,
        learn=redactor.learn,
        clock=monotonic,
    )
    aws = Credentials(environ, for_teams=settings.aws_identity_for_teams, learn=redactor.learn, now=now)
    pool = Pool(
        observer=metrics.opensearch_request,
        tokens=tokens,
        aws=aws,
        on_failure=wake,
        wake=wake,
        clock=monotonic,
        exists=lambda key: cache.get(key) is not None,
        transport=partial(Transport, fence=election.check) if election is not None else Transport,
    )
    ports = Ports(
        store=ReadYourWrites(KubeStatusStore(kube, PLURALS), written),
        secrets=redactor.watch(KubeSecretSource(kube)),
        exports=KubeExports(kube),
        tokens=tokens,
        aws=aws,
        events=events,
        pool=pool,
        catalog=KnownObjects(cache, links),
        wake=wake,
        mask=redactor.mask,
        now=now,
        monotonic=monotonic,
        holder=identity,
        quiet_period=settings.quiet_period_seconds,
        cluster_wide=not settings.namespaces,
    )
    connections = ConnectionReconciler(ports, orphan_deleted=metrics.orphan_deleted)
    reconcilers: dict[str, Reconciler] = {
        "OpenSearchConnection": connections,
        "ClusterOpenSearchConnection": connections,
        "MLModelGroup": GroupReconciler(ports),
        "MLClusterSettings": SettingsReconciler(ports),
        "MLConnector": ConnectorReconciler(ports),
        "RemoteModel": ModelReconciler(ports),
    }
    controller = Controller(
        reconcilers,
        queue=KeyedQueue(clock=monotonic, random=random.random),
        cache=cache,
        links=links,
        observer=metrics,
        clock=monotonic,
        random=random.random,
        limits=Limits(workers=settings.workers),
    )
    metrics.show(Sources(cache.snapshots, controller.vitals, pool.loads, pool.certificates))
    health = Health(vitals=controller.vitals, metrics=metrics)
    return Operator(controller, pool, events, kube, health, metrics, redactor, identity, election)


def _election(
    settings: Settings, kube: KubeClient, identity: str, monotonic: Callable[[], float]
) -> LeaderElection:
    return LeaderElection(
        kube,
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        identity=identity,
        timing=Timing(
            duration=settings.lease_duration,
            renew_deadline=settings.lease_renew_deadline,
            retry=settings.lease_retry_period,
        ),
        clock=monotonic,
    )
