"""Kubernetes with the rights of whoever runs the command: our objects, read and patched."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import KubernetesForbiddenError, OperatorError
from ..kube.client import MERGE_PATCH, KubeClient
from ..kube.login import connect, default_namespace
from ..kube.status import KubeStatusStore
from ..kube.targets import Target, ours
from ..models.kinds import KINDS, KindInfo, by_kind
from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.references import CLUSTER_CONNECTION, connection_key, connection_of
from .exits import CommandError, Exit, usage
from .shell import Shell

PLURALS = {info.kind: info.plural for info in KINDS}

_INNER_IDS = ("id", "modelGroupID", "modelID")


@dataclass(frozen=True, slots=True)
class Cluster:
    """One API server; `namespace` is empty for all of them."""

    kube: KubeClient
    namespace: str

    async def list(self, kind: str) -> tuple[Snapshot, ...]:
        """Read all objects of a kind, sorted. Raises the errors of `StatusStore`."""
        namespace = self.namespace if by_kind(kind).scope == "Namespaced" else ""
        found = await KubeStatusStore(self.kube, PLURALS).read_all(kind, namespace)
        return tuple(sorted(found, key=lambda each: each.key))

    async def list_allowed(
        self, shell: Shell, kinds: Collection[str] = ()
    ) -> dict[str, tuple[Snapshot, ...]]:
        """Read all objects of these kinds, or of all; say which may not be read, and go on without them.

        Of the connections of the whole cluster those that are used here, unless they are asked for by kind.
        Raises KubernetesForbiddenError when nothing may be read.
        """
        used_only = bool(self.namespace) and not kinds
        found: dict[str, tuple[Snapshot, ...]] = {}
        refused: KubernetesForbiddenError | None = None
        for kind in kinds or PLURALS:
            if used_only and kind == CLUSTER_CONNECTION:
                continue
            try:
                found[kind] = await self.list(kind)
            except KubernetesForbiddenError as error:
                shell.tell(f"warning: {error}")
                refused = error
        if refused is not None and not found:
            raise refused
        if used_only:
            found[CLUSTER_CONNECTION] = await self._shared(found.values(), shell)
        return found

    async def _shared(self, users: Iterable[Iterable[Snapshot]], shell: Shell) -> tuple[Snapshot, ...]:
        """Read the connections of the whole cluster that these objects use."""
        keys = {connection_used(user) for objects in users for user in objects}
        found = []
        for key in sorted(key for key in keys if key.kind == CLUSTER_CONNECTION):
            try:
                found.append(await self.find(key))
            except KubernetesForbiddenError as error:
                shell.tell(f"warning: {error}")
        return tuple(each for each in found if each is not None)

    async def bodies(self, target: Target, labels: str = "") -> tuple[dict[str, Any], ...]:
        """Read a whole collection as the API server has it. Raises the errors of `KubeClient.request`."""
        return tuple([body async for body in self.kube.each(target, labels=labels)])

    async def find(self, key: ObjectKey) -> Snapshot | None:
        """Read one object; None when it does not exist."""
        return await KubeStatusStore(self.kube, PLURALS).read(key)

    async def get(self, key: ObjectKey) -> Snapshot:
        """Read one object; CommandError when it does not exist."""
        found = await self.find(key)
        if found is None:
            raise CommandError(f"{key} does not exist", Exit.PROBLEMS)
        return found

    def key(self, argument: str) -> ObjectKey:
        """Read `KIND/NAME`, the kind by any of its names. Raises CommandError."""
        kind, slash, name = argument.partition("/")
        if not slash or not name:
            raise usage(f"{argument!r} is not KIND/NAME, such as rmodel/sentences")
        info = kind_of(kind)
        if info.scope == "Cluster":
            return ObjectKey(info.kind, "", name)
        if not self.namespace:
            raise usage("an object is named within a namespace: use -n instead of -A")
        return ObjectKey(info.kind, self.namespace, name)

    async def patch(self, key: ObjectKey, change: Mapping[str, Any]) -> Snapshot:
        """Merge a change into an object. Raises the errors of `KubeClient.request`."""
        target = Target.of(ours(PLURALS[key.kind]), key)
        return Snapshot.parse(
            key.kind, await self.kube.request("PATCH", target, change, content_type=MERGE_PATCH)
        )


@asynccontextmanager
async def open_cluster(options: argparse.Namespace, shell: Shell) -> AsyncIterator[Cluster]:
    """Connect to the API server that the options name."""
    environ = dict(shell.environ)
    if options.kubeconfig:
        environ["KUBECONFIG"] = options.kubeconfig
    everywhere = getattr(options, "all_namespaces", False)
    if everywhere and options.namespace:
        raise usage("-n and -A exclude each other")
    try:
        namespace = options.namespace or default_namespace(environ=environ, context=options.context)
        kube = await connect(environ=environ, context=options.context)
    except OperatorError as error:
        raise usage(str(error)) from None
    async with kube:
        yield Cluster(kube, "" if everywhere else namespace)


def kind_of(word: str) -> KindInfo:
    """Return the kind that a word names: kind, plural, singular or short name. Raises CommandError."""
    wanted = word.lower()
    for info in KINDS:
        if wanted in {info.singular, info.plural, info.short_name}:
            return info
    known = ", ".join(info.short_name for info in KINDS)
    raise usage(f"{word!r} is none of our kinds: {known}")


def connection_used(snapshot: Snapshot) -> ObjectKey:
    """Return the connection through which an object was made, else the one that its spec names.

    Without a name for a model that leaves that to its connector, and for connections themselves.
    """
    registered = snapshot.status.get("connection")
    if isinstance(registered, str) and registered:
        return connection_of(snapshot.status.get("connectionKind"), registered, snapshot.key.namespace)
    return connection_key(snapshot)


def held(snapshot: Snapshot) -> str:
    """Return the word for an object of which nothing is changed; empty for all others."""
    if snapshot.spec.get("managementPolicy") == "Observe":
        return "observed"
    return "suspended" if snapshot.spec.get("suspend") else ""


def on_record(snapshot: Snapshot) -> set[str]:
    """Return the ids of everything in OpenSearch that an object stands for."""
    status = snapshot.status
    earlier = status.get("previous")
    parts = [*(earlier if isinstance(earlier, list) else ()), status.get("candidate"), status.get("trial")]
    fields = (status.get("id"), status.get("ownedGroupID"))
    inner = (part.get(field) for part in parts if isinstance(part, dict) for field in _INNER_IDS)
    return {each for each in (*fields, *inner) if isinstance(each, str)}


def is_ready(snapshot: Snapshot) -> bool:
    """Whether the object is Ready, and for its newest generation."""
    ready = snapshot.condition("Ready")
    newest = snapshot.status.get("observedGeneration") == snapshot.generation
    return ready.get("status") == "True" and newest


def verdict(snapshot: Snapshot) -> tuple[bool | None, str, str]:
    """Return whether the object is well (None: not known yet), the reason and the message."""
    ready = snapshot.condition("Ready")
    if not ready:
        return (
            None,
            "NotSeenYet",
            "The operator has not looked at it yet: does it run, and watch here?",
        )
    reason, message = str(ready.get("reason", "")), str(ready.get("message", ""))
    if snapshot.deleting:
        held = snapshot.condition("Deletable")
        return False, "Deleting", str(held.get("message", "")) or "It is being deleted."
    if ready.get("status") == "True" and not is_ready(snapshot):
        return None, "OutOfDate", "The spec has changed; the operator has not acted on it yet."
    return ready.get("status") == "True", reason, message
