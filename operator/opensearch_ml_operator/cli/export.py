"""`export`: manifests that adopt what is in an OpenSearch already; applying them changes nothing there.

Each is compared with what is there by the operator's own code. What would be changed all the same is
exported with managementPolicy Observe, and said in a comment.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..constants import Reason
from ..errors import KubernetesForbiddenError
from ..kube.secrets import KubeSecretSource
from ..models.snapshot import ObjectKey, Snapshot
from ..opensearch import searches
from ..reconcilers.adoption import unmarked
from ..reconcilers.conditions import Fact
from ..reconcilers.ports import Hit, SecretData, SecretSource
from ..reconcilers.references import CONNECTOR, GROUP, MODEL
from . import documents, specs
from . import options as shared
from .cluster import Cluster, on_record, open_cluster
from .documents import Document
from .dry import DryRun
from .exits import CommandError, Exit, usage
from .import_blueprint import connection_ref
from .remote import dial, forwarded, settings_of
from .shell import Shell

_KINDS: Final = {"group": GROUP, "connector": CONNECTOR, "model": MODEL}
"""In the order in which they refer to each other."""
_NOT_OURS: Final = frozenset({Reason.NOT_OWNED, Reason.CONFLICT})


@dataclass(slots=True)
class Found:
    """One object of OpenSearch, on its way to a manifest."""

    key: ObjectKey
    hit: Hit
    spec: dict[str, Any]
    secret_keys: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def secret(self) -> str:
        """The Secret of its credentials; a connector and a model may have one name."""
        return f"{self.key.name}-{'connector-' if self.key.kind == MODEL else ''}credentials"

    @property
    def snapshot(self) -> Snapshot:
        """The object as it will be."""
        return Snapshot(self.key, str(self.key), "", 1, "", deleting=False, finalizer=True, spec=self.spec)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "connection", metavar="CONNECTION", help="connection to read through: NAME or cosconn/NAME"
    )
    parser.add_argument("--match", metavar="REGEX", default="", help="only objects whose name has a match")
    parser.add_argument("--observe", action="store_true", help="let none of them change anything for now")
    parser.add_argument(
        "--endpoint", metavar="URL", help="reach OpenSearch here, such as at a forwarded port"
    )
    shared.cluster(parser, everywhere=False)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Print the manifests; PROBLEMS when some would change something, and so only observe."""
    try:
        pattern = re.compile(options.match)
    except re.error as error:
        raise usage(f"--match: {error}") from None
    async with open_cluster(options, shell) as cluster:
        ref = connection_ref(options.connection)
        kind = "cosconn" if "kind" in ref else "osconn"
        connection = await cluster.get(cluster.key(f"{kind}/{ref['name']}"))
        connection = forwarded(connection, options.endpoint)
        hits = await _search(cluster, connection, pattern, shell)
        managed = await _managed(cluster, shell)
        found = _translate(hits, managed, ref, cluster.namespace)
        known = [connection, *(each for each in managed if each.key.kind in _KINDS.values())]
        kept = await _compare(cluster, shell, known, found)
    held = sum("managementPolicy" in each.spec for each in kept)
    for each in kept:
        if options.observe:
            each.spec["managementPolicy"] = "Observe"
    documents.show(shell, list(_documents(kept)), as_json=options.output == "json")
    shell.tell(
        f"objects: {len(kept)}, of which {held} would be changed and are only observed; "
        f"managed already: {sum(map(len, hits.values())) - len(kept)}; "
        f"Secrets to fill in: {sum(bool(each.secret_keys) for each in kept)}"
    )
    return Exit.PROBLEMS if held else Exit.OK


async def _search(
    cluster: Cluster, connection: Snapshot, pattern: re.Pattern[str], shell: Shell
) -> dict[str, list[Hit]]:
    settings = await settings_of(cluster, connection)
    if isinstance(settings, Fact):
        raise CommandError(settings.message, Exit.PROBLEMS)
    hits = {}
    async with dial(settings) as remote:
        for kind in _KINDS:
            shell.progress(f"reading the {kind}s …")
            found = await searches.everything(remote.transport, kind)
            hits[kind] = [each for each in found if pattern.search(str(each.source.get("name", "")))]
    hits["model"] = [each for each in hits["model"] if each.source.get("algorithm") == "REMOTE"]
    return hits


async def _managed(cluster: Cluster, shell: Shell) -> list[Snapshot]:
    """Return the objects that may have some of it already: of all namespaces, if they may be read."""
    try:
        found = await replace(cluster, namespace="").list_allowed(shell, list(_KINDS.values()))
    except KubernetesForbiddenError:
        found = await cluster.list_allowed(shell, list(_KINDS.values()))
    return [each for objects in found.values() for each in objects]


def _translate(
    hits: Mapping[str, Sequence[Hit]], managed: Sequence[Snapshot], ref: Mapping[str, str], namespace: str
) -> list[Found]:
    """Return specs for what nobody has on record. To each other they refer by name, to all else by id."""
    found: list[Found] = []
    owners = {id_: each for each in managed for id_ in on_record(each)}
    here = [each.key for each in managed if each.key.namespace == namespace]
    names = {
        id_: each.key.name
        for id_, each in owners.items()
        if each.key in here and each.status.get("id") == id_
    }
    for kind, objects in hits.items():
        taken = {key.name for key in here if key.kind == _KINDS[kind]}
        for hit in sorted(objects, key=lambda each: (str(each.source.get("name")), each.id)):
            if hit.id in owners:
                continue
            name = names[hit.id] = documents.object_name(str(hit.source.get("name", "")), taken)
            spec: dict[str, Any] = {"connectionRef": dict(ref), "adopt": {"id": hit.id}}
            one = Found(ObjectKey(_KINDS[kind], namespace, name), hit, spec)
            _fill(one, names)
            found.append(one)
    return found


def _fill(one: Found, names: Mapping[str, str]) -> None:
    source, connector = one.hit.source, {}
    match one.key.kind:
        case "MLModelGroup":
            one.spec |= specs.group(source)
        case "MLConnector":
            connector = specs.connector(source, secret=one.secret)
            one.spec |= connector
        case _:
            one.spec |= _references(source, names)
            if isinstance(own := source.get("connector"), Mapping):
                connector = one.spec["connector"] = specs.connector(own, secret=one.secret)
            one.spec |= specs.model(source)
    one.secret_keys = specs.secret_keys(connector)
    description = str(source.get("description") or "")
    if unmarked(description) != description:
        one.notes.append("It has the mark of a resource that is not seen here: is it managed elsewhere?")


def _references(source: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    fields = (
        ("connector_id", "connectorRef", "connectorID"),
        ("model_group_id", "modelGroupRef", "modelGroupID"),
    )
    for field_, by_name, by_id in fields:
        if isinstance(id_ := source.get(field_), str):
            spec |= {by_name: {"name": names[id_]}} if id_ in names else {by_id: id_}
    return spec


async def _compare(
    cluster: Cluster, shell: Shell, known: Sequence[Snapshot], found: Sequence[Found]
) -> list[Found]:
    """Let the operator's code adopt them, in memory, and return those that it could."""
    secrets = _Filled(
        KubeSecretSource(cluster.kube), {each.secret: each.secret_keys for each in found if each.secret_keys}
    )
    kept = []
    async with DryRun(cluster, shell, secrets, [*known, *(each.snapshot for each in found)]) as operator:
        for one in found:
            shell.progress(f"comparing {one.key} …")
            looked = await operator.look(one.snapshot)
            if looked.error is not None:
                raise looked.error
            verdict = looked.failing
            if verdict.get("reason") in _NOT_OURS:
                continue
            if verdict:
                one.spec["managementPolicy"] = "Observe"
                one.notes += _notes(verdict, looked.snapshot)
            kept.append(one)
    return kept


def _notes(verdict: Mapping[str, Any], after: Snapshot) -> list[str]:
    changes = after.status.get("pendingChanges") or ()
    said = [f"  {each['path']}: {each.get('from')!r} would become {each.get('to')!r}" for each in changes]
    first = (
        f"{verdict.get('reason')}: {verdict.get('message')}"
        if not said
        else "Only observed, as it would be changed:"
    )
    return [first, *said]


def _documents(found: Sequence[Found]) -> Iterator[Document]:
    for each in found:
        key = each.key
        if each.secret_keys:
            words = "OpenSearch shows no credentials: write them here, or {} waits with SecretKeyMissing."
            secret = documents.secret(each.secret, key.namespace, each.secret_keys)
            yield Document(secret, [words.format(key.name)])
        yield Document(documents.ours(key.kind, key.name, key.namespace, each.spec), each.notes)


@dataclass(frozen=True, slots=True)
class _Filled:
    """A `SecretSource` in which the Secrets that are still to be filled in are filled in."""

    live: SecretSource
    to_fill: Mapping[str, Sequence[str]]
    """The keys of each, by its name."""

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        if name in self.to_fill:
            return SecretData("", dict.fromkeys(self.to_fill[name], b"not known yet"))
        return await self.live.secret(namespace, name)

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        return "" if name in self.to_fill else await self.live.revision(namespace, name, max_age=max_age)

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        return await self.live.config_map(namespace, name)
