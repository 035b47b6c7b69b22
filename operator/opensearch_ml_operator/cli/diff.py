"""`diff`: what differs between specs and OpenSearch now, as the operator compares them; it changes nothing.

With `-f` the specs are those of files, which need not be applied yet.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..constants import Reason
from ..kube.secrets import KubeSecretSource
from ..models.snapshot import ObjectKey, Snapshot
from . import options as shared
from .cluster import Cluster, kind_of, open_cluster
from .dry import CONNECTIONS, ORDER, DryRun, Looked
from .exits import Exit, usage
from .manifests import load
from .remote import forwarded
from .shell import Shell, ago


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("objects", nargs="*", metavar="KIND/NAME", help="objects to compare; default: all")
    parser.add_argument(
        "-f", "--filename", action="append", metavar="FILE", help="compare the specs of a file or folder"
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="reach OpenSearch here, such as at a forwarded port"
    )
    shared.cluster(parser)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Print the differences; PROBLEMS when there are any, or when something cannot be compared."""
    if options.objects and options.filename:
        raise usage("name objects, or files with -f")
    async with open_cluster(options, shell) as cluster:
        shell.progress("reading the objects …")
        found = await cluster.list_allowed(shell)
        known = {each.key: each for objects in found.values() for each in objects}
        chosen = await _chosen(cluster, known, options)
        known |= {
            key: forwarded(each, options.endpoint) for key, each in known.items() if key.kind in CONNECTIONS
        }
        entries = []
        async with DryRun(cluster, shell, KubeSecretSource(cluster.kube), known.values()) as operator:
            for snapshot in sorted(chosen, key=lambda each: (ORDER.index(each.key.kind), each.key)):
                shell.progress(f"comparing {snapshot.key} …")
                entries.append(_entry(await operator.look(snapshot), snapshot, shell))
    shell.progress("")
    if options.output == "json":
        shell.document({"items": entries})
    else:
        _show(shell, entries)
    return Exit.OK if all(entry["differs"] is False for entry in entries) else Exit.PROBLEMS


async def _chosen(
    cluster: Cluster, known: dict[ObjectKey, Snapshot], options: argparse.Namespace
) -> Sequence[Snapshot]:
    """Return what is to be compared; specs of files take the place of those that are known."""
    if options.filename:
        return await _of_files(cluster, known, options.filename)
    if not options.objects:
        return [each for each in known.values() if each.key.kind in ORDER and not each.deleting]
    keys = [cluster.key(each) for each in options.objects]
    if strange := next((key for key in keys if key.kind not in ORDER), None):
        raise usage(f"{strange}: a connection stands for nothing in OpenSearch")
    return [await cluster.get(key) for key in keys]


async def _of_files(
    cluster: Cluster, known: dict[ObjectKey, Snapshot], files: Sequence[str]
) -> Sequence[Snapshot]:
    manifests = [each for each in load(files, sys.stdin) if each.ours]
    written = [each.snapshot(cluster.namespace or "default") for each in manifests]
    for snapshot in written:
        live = known.get(snapshot.key) or await cluster.find(snapshot.key)
        changed = live is None or live.spec != snapshot.spec
        known[snapshot.key] = (
            replace(snapshot, uid=str(snapshot.key))
            if live is None
            else replace(live, spec=snapshot.spec, generation=live.generation + changed)
        )
    chosen = [known[each.key] for each in written if each.key.kind in ORDER]
    if not chosen:
        raise usage("no group, connector, model or settings of ours in these files")
    return chosen


def _entry(looked: Looked, before: Snapshot, shell: Shell) -> dict[str, Any]:
    """Return what came of a comparison as JSON: `differs` is null when there was none."""
    after, differs, note = looked.snapshot, None, ""
    fact = looked.failing
    reason, message = str(fact.get("reason", "")), str(fact.get("message", ""))
    if looked.error is not None:
        seen = ago(before.status.get("lastSyncTime"), shell.now())
        note = f"{looked.error}; what the operator saw {seen} ago is shown instead"
    elif not fact:
        differs = False
    elif reason == Reason.DRIFT_DETECTED:
        differs = True
    changes = after.status.get("pendingChanges") if fact else None
    return {
        "kind": after.key.kind,
        "namespace": after.key.namespace,
        "name": after.key.name,
        "id": after.status.get("id"),
        "differs": differs,
        "reason": reason,
        "message": message,
        "note": note,
        "changes": list(changes or ()),
    }


def _show(shell: Shell, entries: Sequence[Mapping[str, Any]]) -> None:
    for entry in entries:
        name = f"{kind_of(entry['kind']).short_name}/{entry['name']}"
        id_ = f" {entry['id']}" if entry["id"] else ""
        if entry["differs"] is False:
            shell.say(f"✓ {name}{id_}: as the spec says")
            continue
        why = entry["message"] if entry["differs"] else f"{entry['reason']}: {entry['message']}"
        said = entry["note"] or why
        shell.say(f"{'✗' if entry['differs'] else '…'} {name}{id_}: {said}")
        for change in entry["changes"]:
            shell.say(f"    {change['path']}: {_shown(change, 'from')} → {_shown(change, 'to')}")
    differ = sum(entry["differs"] is True for entry in entries)
    unknown = sum(entry["differs"] is None for entry in entries)
    shell.tell(f"objects: {len(entries)}, different: {differ}, not compared: {unknown}")


def _shown(change: Mapping[str, Any], side: str) -> str:
    return repr(change[side]) if side in change else "nothing"
