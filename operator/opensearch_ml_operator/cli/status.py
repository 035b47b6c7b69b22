"""`status`: a table of all objects, with the whole message of each that is not well."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..models.snapshot import Snapshot
from . import options as shared
from .cluster import Cluster, held, is_ready, kind_of, open_cluster, verdict
from .exits import Exit
from .shell import Shell, ago
from .words import MARKS, reason_link, wrapped


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="kinds to show, such as rmodel (all)")
    parser.add_argument("-w", "--watch", action="store_true", help="show it again whenever it has changed")
    parser.add_argument("--interval", type=float, default=2.0, metavar="SECONDS", help="between looks (2)")
    shared.cluster(parser)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Show the table; PROBLEMS when something is not Ready. A watch goes on until it is interrupted."""
    async with open_cluster(options, shell) as cluster:
        before: object = None
        while True:
            found = await _look(cluster, options.kinds, shell)
            seen = [_entry(each) for each in found]
            if seen != before:
                if options.output == "json":
                    shell.document({"items": seen})
                else:
                    _show(shell, found, everywhere=not cluster.namespace)
                before = seen
            if not options.watch:
                return Exit.OK if all(entry["ready"] for entry in seen) else Exit.PROBLEMS
            await shell.sleep(options.interval)


async def _look(cluster: Cluster, words: Iterable[str], shell: Shell) -> list[Snapshot]:
    kinds = [kind_of(word).kind for word in words]
    found = await cluster.list_allowed(shell, kinds)
    return [each for objects in found.values() for each in objects]


def _show(shell: Shell, found: list[Snapshot], *, everywhere: bool) -> None:
    if not found:
        shell.say("No objects of ours" + ("." if everywhere else " in this namespace; -A looks into all."))
        return
    now = shell.now()
    head = (*(("NAMESPACE",) if everywhere else ()), "", "OBJECT", "STATUS", "STATE", "ID", "AGE")
    shell.table(head, (_row(each, now, everywhere=everywhere) for each in found))
    for each in found:
        well, reason, message = verdict(each)
        if not well:
            shell.say()
            shell.say(f"{MARKS[well]} {each.key}: {reason}")
            for line in (*wrapped(message), f"more: {reason_link(reason)}"):
                shell.say(f"    {line}")


def _row(snapshot: Snapshot, now: datetime, *, everywhere: bool) -> tuple[str, ...]:
    well, reason, _ = verdict(snapshot)
    status = snapshot.status
    return (
        *((snapshot.key.namespace,) if everywhere else ()),
        MARKS[well],
        f"{kind_of(snapshot.key.kind).short_name}/{snapshot.key.name}",
        f"{reason} ({word})" if (word := held(snapshot)) else reason,
        str(status.get("state") or status.get("version") or ""),
        str(status.get("id") or ""),
        ago(snapshot.created, now),
    )


def _entry(snapshot: Snapshot) -> dict[str, Any]:
    _, reason, message = verdict(snapshot)
    entry = {
        "kind": snapshot.key.kind,
        "namespace": snapshot.key.namespace,
        "name": snapshot.key.name,
        "ready": is_ready(snapshot) and not snapshot.deleting,
        "reason": reason,
        "message": message,
        "suspended": bool(snapshot.spec.get("suspend")),
    }
    fields = ("id", "state", "version", "lastSyncTime")
    return entry | {field: snapshot.status[field] for field in fields if field in snapshot.status}
