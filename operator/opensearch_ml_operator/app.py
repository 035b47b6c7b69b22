"""Runs the operator: check, lead, watch and work, stop. No logic here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import threading
from collections.abc import Awaitable, Mapping
from functools import partial

import kopf

from .assembly import PLURALS, Operator, build
from .config import Settings
from .crdgen import schema_hash
from .errors import KubernetesForbiddenError, OperatorError, WatchesEndedError
from .handlers import build_registry
from .kopf_settings import Login, build_settings
from .kube.crds import missing_or_different, undiscovered
from .kube.ghosts import count, list_keys
from .kube.leases import LeaderElection
from .kube.login import connect
from .kube.namespaces import list_labels
from .kube.status import KubeStatusStore
from .logs import Redactor
from .metrics import Metrics
from .models.kinds import KINDS, KindInfo, kinds

log = logging.getLogger(__name__)

GHOST_INTERVAL = 300.0
"""Seconds between the looks for objects whose deletion no watch has told of."""
GHOST_LISTS = 12
"""Each of so many looks reads their list, even if the number seems to be right."""
CRD_INTERVAL = 5.0
"""Seconds between the looks for what the start waits for: CRDs that fit, and lists of all objects."""
CUTS = 50
"""How often a task is cancelled that does not end."""


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
    async with asyncio.TaskGroup() as group:
        for kind in _watched(settings):
            for namespace in settings.namespaces or ("",):
                group.create_task(_hear_of(kind.kind, namespace, operator))


async def _hear_of(kind: str, namespace: str, operator: Operator) -> None:
    """Read all objects of a kind in a namespace, however often it takes."""
    store = KubeStatusStore(operator.kube, PLURALS)
    while True:
        try:
            async for snapshot in store.each(kind, namespace):
                operator.controller.observe(None, snapshot)
        except KubernetesForbiddenError as error:
            # One namespace without its Role, or without itself, must not stop all others.
            log.warning("Cannot list %s: %s", PLURALS[kind], error)
        except OperatorError as error:
            log.warning("Cannot list %s: %s", PLURALS[kind], error)
            await asyncio.sleep(CRD_INTERVAL)
            continue
        return


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
    """Ask now and then which objects exist: after a restart of the API server no watch tells what is gone.

    As long as there are as many as we know of, they need not be read each time.
    """
    for look in itertools.count(1):
        await asyncio.sleep(GHOST_INTERVAL)
        for kind in _watched(settings):
            where = kind.plural, settings.namespaces
            known = operator.controller.known(kind.kind)
            listing = partial(list_keys, operator.kube, kind.kind, *where)
            try:
                if look % GHOST_LISTS == 0 or await count(operator.kube, *where) != known:
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
