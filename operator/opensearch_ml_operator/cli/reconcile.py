"""`reconcile`: have the operator look at objects now, and with `--wait` see what comes of it."""

from __future__ import annotations

import argparse

from ..constants import RECONCILE_ANNOTATION
from ..models.common import seconds
from ..models.snapshot import ObjectKey, Snapshot
from . import options as shared
from .cluster import Cluster, is_ready, open_cluster, verdict
from .exits import Exit, usage
from .shell import Shell

POLL_SECONDS = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("objects", nargs="+", metavar="KIND/NAME", help="objects, such as rmodel/sentences")
    parser.add_argument("--wait", action="store_true", help="wait until it has been done and they are Ready")
    parser.add_argument("--timeout", default="5m", metavar="DURATION", help="how long to wait (5m)")
    shared.cluster(parser, everywhere=False)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Ask, and wait. PROBLEMS when an object waits for a person, TIMEOUT when it takes too long."""
    try:
        limit = seconds(options.timeout)
    except ValueError as error:
        raise usage(str(error)) from None
    async with open_cluster(options, shell) as cluster:
        keys = [cluster.key(each) for each in options.objects]
        mark = shell.now().isoformat()
        for key in keys:
            await cluster.get(key)
            await cluster.patch(key, {"metadata": {"annotations": {RECONCILE_ANNOTATION: mark}}})
            shell.say(f"{key}: asked")
        if not options.wait:
            return Exit.OK
        deadline = shell.clock() + limit
        outcomes = [await _wait(cluster, key, mark, deadline, shell) for key in keys]
    return max(outcomes)


async def _wait(cluster: Cluster, key: ObjectKey, mark: str, deadline: float, shell: Shell) -> Exit:
    told = ""
    while True:
        snapshot = await cluster.get(key)
        handled = snapshot.status.get("lastHandledReconcileAt") == mark
        if handled and is_ready(snapshot):
            shell.say(f"{key}: Ready")
            return Exit.OK
        if handled and _stalled(snapshot):
            _, reason, message = verdict(snapshot)
            shell.say(f"{key}: {reason}: {message}")
            return Exit.PROBLEMS
        words = _words(snapshot, handled=handled)
        if words != told:
            shell.tell(f"{key}: {words}")
            told = words
        if shell.clock() >= deadline:
            shell.say(f"{key}: not in time; {words}")
            return Exit.TIMEOUT
        await shell.sleep(POLL_SECONDS)


def _stalled(snapshot: Snapshot) -> bool:
    return snapshot.condition("Stalled").get("status") == "True"


def _words(snapshot: Snapshot, *, handled: bool) -> str:
    if not handled:
        return "the operator has not looked yet"
    _, reason, message = verdict(snapshot)
    return f"{reason}: {message}".rstrip(": ")
