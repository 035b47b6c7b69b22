"""Builds the operator out of its parts and runs it: check, lead, watch and work, stop. No logic here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import kopf

from .aws.source import Credentials
from .config import Settings
from .constants import NAME
from .crdgen import schema_hash
from .engine.cache import Cache
from .engine.catalog import KnownObjects
from .engine.controller import Controller
from .engine.links import Links
from .engine.queue import KeyedQueue
from .engine.stores import ReadYourWrites
from .engine.workers import Limits
from .errors import KubernetesForbiddenError, OperatorError, WatchesEndedError
from .fleet import Sources
from .handlers import build_registry
from .health import Health
from .kopf_settings import Login, build_settings
from .kube.client import KubeClient
from .kube.crds import missing_or_different, undiscovered
from .kube.events import KubeEvents
from .kube.exports import KubeExports
from .kube.ghosts import list_keys
from .kube.leases import LeaderElection, Timing
from .kube.login import connect
from .kube.namespaces import list_labels
from .kube.secrets import KubeSecretSource
from .kube.status import KubeStatusStore
from .kube.tokens import KubeTokenSource
from .logs import Redactor
from .metrics import Metrics
from .models.kinds import KINDS, KindInfo, kinds
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

log = logging.getLogger(__name__)

GHOST_INTERVAL = 300.0
"""Seconds between the looks for objects whose deletion no watch has told of."""
CRD_INTERVAL = 5.0
"""Seconds between the looks for what the start waits for: CRDs that fit, and lists of all objects."""
CUTS = 50
"""How often a task is cancelled that does not end."""
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
    election = None
    if settings.leader_election:
        election = LeaderElection(
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
    cache, links = Cache(), Links()
    events = KubeEvents(kube, identity, observer=metrics.event)

    def wake(key: ObjectKey) -> None:
        controller.wake(key)

    def learn(snapshot: Snapshot) -> None:
        metrics.written(cache.get(snapshot.key), snapshot)
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
        store=ReadYourWrites(KubeStatusStore(kube, PLURALS), learn),
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


async def run(settings: Settings, environ: Mapping[str, str], redactor: Redactor) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises OperatorError when it cannot go on."""
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        kube = await stack.enter_async_context(
            await connect(environ=environ, observer=metrics.kubernetes_request)
        )
        operator = build(settings, kube, metrics, redactor, environ=environ)
        await stack.enter_async_context(
            operator.health.serve(
                address=settings.bind_address,
                health_port=settings.health_port,
                metrics_port=settings.metrics_port,
            )
        )
        await _unless_stopped(_crds_fit(settings, operator), stopping)
        if operator.election is not None:
            await _lead(operator.election, settings, operator, environ, stopping)
        else:
            await serve(settings, operator, environ, stopping)


async def _crds_fit(settings: Settings, operator: Operator) -> None:
    """Wait until the cluster's CRDs are those of this release; say what is wrong with them.

    An operator of single namespaces has no right to read CRDs: it only sees whether they are served.
    """
    hashes = {kind.plural: schema_hash(kind.kind) for kind in _watched(settings)}
    said: list[str] = []
    while True:
        try:
            look = undiscovered if settings.namespaces else missing_or_different
            problems = await look(operator.kube, hashes)
        except OperatorError as error:
            problems = [f"The CRDs cannot be checked: {error}"]
        operator.health.obstacle("crds", "\n".join(problems) or None)
        if not problems:
            return
        if problems != said:
            log.error("%s", "; ".join(problems))
            said = problems
        await asyncio.sleep(CRD_INTERVAL)


async def _lead(
    election: LeaderElection,
    settings: Settings,
    operator: Operator,
    environ: Mapping[str, str],
    stopping: asyncio.Event,
) -> None:
    """Wait for the Lease, work while it is ours, give it back. Raises LeadershipLostError."""
    operator.health.obstacle("start", None)  # a standby is ready: it is what a rolling update waits for
    operator.metrics.leading(settings.lease_name, leads=False)
    await _unless_stopped(election.acquire(), stopping)
    operator.metrics.leading(settings.lease_name, leads=not stopping.is_set())
    try:
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(election.hold())
            await serve(settings, operator, environ, stopping)
            holding.cancel()
    finally:
        await election.release()


async def serve(
    settings: Settings, operator: Operator, environ: Mapping[str, str], stopping: asyncio.Event
) -> None:
    """Watch and reconcile until told to stop; then begin nothing new and let what runs come to its end.

    Raises WatchesEndedError.
    """
    await _unless_stopped(_hear_of_all(settings, operator), stopping)
    if stopping.is_set():
        return
    controller = operator.controller
    kopf_stop = asyncio.Event()
    registry = build_registry(
        controller,
        login=Login(
            server=operator.kube.server,
            prefer_kubeconfig=bool(environ.get("KUBECONFIG")),
            watches=1 + len(KINDS) * max(1, len(settings.namespaces)),
        ),
        cluster_wide=not settings.namespaces,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.run())
        sending = group.create_task(operator.events.run())
        looking = group.create_task(_drop_ghosts(settings, operator))
        ours = asyncio.all_tasks()  # kopf waits 5 s at its end for tasks that it does not know
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=build_settings(),
            namespaces=settings.namespaces,
            clusterwide=not settings.namespaces,
            # Left to itself, kopf asks for the name of the user, and a container's user need not have one.
            identity=operator.identity,  # type: ignore[arg-type] # its NewType is not exported
            stop_flag=kopf_stop,
        )
        # kopf has put its own signal handlers in place of ours; its way to stop drops what runs.
        _stop_on_signals(stopping)
        watching = group.create_task(kopf.run_tasks(tasks, ignored=ours))
        operator.health.obstacle("start", None)
        await _unless_stopped(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED), stopping)
        if not stopping.is_set():
            await _cut_off_all()
            raise WatchesEndedError
        log.info("Stopping: nothing new is begun, what runs may end.")
        await controller.stop()
        await operator.events.aclose()
        await operator.pool.aclose()
        sending.cancel()
        looking.cancel()
        kopf_stop.set()
        await asyncio.wait([watching])


async def _cut_off_all() -> None:
    """Cancel all tasks but this one, as often as it takes: some of kopf's take a cancellation for a pause."""
    this = asyncio.current_task()
    for _ in range(CUTS):
        left = {task for task in asyncio.all_tasks() if task is not this}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.1)


async def _hear_of_all(settings: Settings, operator: Operator) -> None:
    """Read every object before anything is decided.

    The watches of the kinds begin in any order, and a reference to what has not been heard of yet looks
    broken: a restart would show that on every object, for a moment.
    """
    if not settings.namespaces:
        await _hear_of_labels(operator)
    store = KubeStatusStore(operator.kube, PLURALS)
    places = settings.namespaces or ("",)
    unread = [(kind.kind, namespace) for kind in _watched(settings) for namespace in places]
    while unread:
        kind, namespace = unread[0]
        try:
            found = await store.read_all(kind, namespace)
        except KubernetesForbiddenError as error:
            # One namespace without its Role, or without itself, must not stop all others.
            log.warning("Cannot list %s: %s", PLURALS[kind], error)
            found = ()
        except OperatorError as error:
            log.warning("Cannot list %s: %s", PLURALS[kind], error)
            await asyncio.sleep(CRD_INTERVAL)
            continue
        for snapshot in found:
            operator.controller.observe(None, snapshot)
        del unread[0]


async def _hear_of_labels(operator: Operator) -> None:
    """Read the labels of all namespaces; without the right to, connections can only let them in by name."""
    while True:
        try:
            labels = await list_labels(operator.kube)
        except KubernetesForbiddenError as error:
            log.warning("Cannot list namespaces: %s", error)
            return
        except OperatorError as error:
            log.warning("Cannot list namespaces: %s", error)
            await asyncio.sleep(CRD_INTERVAL)
            continue
        for namespace, its in labels.items():
            operator.controller.label(namespace, its)
        return


async def _drop_ghosts(settings: Settings, operator: Operator) -> None:
    """Ask now and then which objects exist: after a restart of the API server no watch tells what is gone."""
    while True:
        await asyncio.sleep(GHOST_INTERVAL)
        for kind in _watched(settings):
            listing = partial(list_keys, operator.kube, kind.kind, kind.plural, settings.namespaces)
            try:
                await operator.controller.drop_ghosts(kind.kind, listing)
            except OperatorError as error:
                log.warning("Cannot list %s: %s", kind.plural, error)


def _watched(settings: Settings) -> tuple[KindInfo, ...]:
    return kinds(cluster_wide=not settings.namespaces)


def _stop_on_signals(stopping: asyncio.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals reach the main thread alone; whoever runs us in another one stops us by the event
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


async def _unless_stopped(work: Awaitable[object], stopping: asyncio.Event) -> None:
    """Await the work, but no longer than until we are told to stop."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        waiting.cancel()
