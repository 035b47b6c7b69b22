"""The engine's front: hears of every change of an object and decides who must be reconciled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ..models.snapshot import ObjectKey, Snapshot
from ..reconcilers.outcome import Reconciler
from ..reconcilers.references import CONNECTIONS, CONNECTOR, SETTINGS
from .cache import Cache, Change, Identity
from .finalizing import Finalizations
from .links import Links, namespace_key, references_of
from .outage import OutageGate
from .queue import KeyedQueue, Priority
from .summary import has_moved_on, summary_of
from .workers import Limits, RunObserver, Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the health probes and the metrics show of the engine; times in seconds."""

    waiting: int
    planned: int
    processing: int
    oldest_wait: float
    since_beat: float
    """Since a worker last took or finished a key."""
    healthy: bool
    """False when work waits and nothing has moved for long: only a restart helps."""


class Controller:
    """Feeds the queue and owns the workers; everything else is passed in and shared with nobody who writes.

    `clock` is monotonic and `random` uniform in [0, 1).
    """

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        queue: KeyedQueue,
        cache: Cache,
        links: Links,
        observer: RunObserver,
        clock: Callable[[], float],
        random: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._links = links
        self._limits = limits or Limits()
        self._observer = observer
        self._gate = OutageGate(clock=clock, random=random)
        self._finalizations = Finalizations()
        self._workers = Workers(
            reconcilers,
            queue=queue,
            cache=cache,
            gate=self._gate,
            finalizations=self._finalizations,
            observer=observer,
            clock=clock,
            limits=self._limits,
        )

    def observe(self, event_type: str | None, snapshot: Snapshot) -> None:
        """Take an event of the watch: ADDED, MODIFIED, DELETED, or None for an object of a listing."""
        if event_type == "DELETED":
            self._drop(snapshot.key, snapshot.uid)
            self._finalizations.gone(snapshot.uid)
            return
        change = self._learn(snapshot)
        if change is None:
            return
        if event_type is None:
            # Events may have been missed before a listing, so another version is compared.
            priority = _priority_when_listed(snapshot)
            self._queue.add(snapshot.key, priority)
            if priority is Priority.RESYNC:
                self._cache.pack(snapshot.key)
        elif _wants_run(change):
            self._queue.add(snapshot.key)

    def label(self, namespace: str, labels: Mapping[str, str] | None) -> None:
        """Take the labels of a namespace, None when it is gone, and wake whom they let in or shut out."""
        if self._cache.label(namespace, labels):
            self._wake_all(self._links.dependents(namespace_key(namespace)))

    def written(self, snapshot: Snapshot) -> None:
        """Take the API server's answer to a write or a read, so that the next run decides by it.

        A write that changed nothing sends no request: its answer is the object that we know already.
        """
        if snapshot is not self._cache.get(snapshot.key):
            self._gate.answered()
        change = self._learn(snapshot)
        if change is not None and _wants_run(change):
            self._queue.add(snapshot.key)  # the event of that change will be no news any more

    async def finalize(self, snapshot: Snapshot) -> None:
        """Return when nothing of the object is left, or when it is gone; raises StoppingError."""
        self._learn(snapshot)
        known = self._cache.get(snapshot.key)
        if known is not None and known.uid == snapshot.uid:
            self.wake(snapshot.key)
            await self._finalizations.wait(snapshot.uid)

    def wake(self, key: ObjectKey) -> None:
        """Reconcile an object soon, because what it waits for has changed; unknown ones are ignored."""
        if self._cache.get(key) is not None:
            self._queue.add(key, Priority.UNDER_WAY)

    def known(self, kind: str) -> int:
        """Return how many objects of a kind are known."""
        return len(self._cache.keys(kind))

    async def drop_ghosts(
        self, kind: str, list_live: Callable[[], Awaitable[AbstractSet[Identity]]]
    ) -> tuple[ObjectKey, ...]:
        """Drop the objects of the kind that a listing does not contain, and return their keys.

        After a gap the watch does not tell what was deleted meanwhile. `list_live` must ask the API server
        itself, not one of its caches, for all namespaces that are watched.
        """
        known = self._cache.identities(kind)
        live = await list_live()
        ghosts = self._cache.ghosts(known, live)
        for ghost in ghosts:
            self._dropped(ghost)
            self._finalizations.gone(ghost.uid)
        self._finalizations.forget_missing(kind, live)
        if ghosts:
            log.info("Dropped %d objects of kind %s whose deletion was not seen.", len(ghosts), kind)
        return tuple(ghost.key for ghost in ghosts)

    async def run(self) -> None:
        """Reconcile until `stop`."""
        await self._workers.run()

    def release_waiters(self) -> None:
        """Let everybody who waits in `finalize` go with StoppingError."""
        self._finalizations.stop()

    async def stop(self) -> None:
        """End the workers, waiting for what runs; then let those go who still wait."""
        await self._workers.stop()
        self.release_waiters()

    def vitals(self) -> Vitals:
        """Say how the engine is doing."""
        oldest_wait, since_beat = self._queue.oldest_wait, self._workers.since_beat
        return Vitals(
            waiting=self._queue.depth,
            planned=self._queue.planned,
            processing=self._queue.processing,
            oldest_wait=oldest_wait,
            since_beat=since_beat,
            healthy=min(oldest_wait, since_beat) <= self._limits.stuck,
        )

    def _learn(self, snapshot: Snapshot) -> Change | None:
        """Take in a version of an object and wake whom it concerns; None when it is no news."""
        if snapshot.deleting and not snapshot.finalizer:
            # We let it go, or somebody took our finalizer off. It may still be there for somebody else's.
            self._finalizations.finish(snapshot.uid, snapshot.key)
            self._drop(snapshot.key, snapshot.uid)
            return None
        if self._finalizations.is_finished(snapshot.uid):
            return None
        change = self._cache.offer(snapshot)
        if change is None:
            return None
        self._observer.changed(change.old, snapshot)
        key = snapshot.key
        if change.old is not None and not change.same_object:
            self._finalizations.gone(change.old.uid)
        before = self._links.references(key)
        self._links.replace(key, references_of(snapshot))
        after = self._links.references(key)
        self._wake_all(reference for reference in before if reference not in after)
        if summary_of(change.old) != summary_of(snapshot):
            self._wake_all(self._links.dependents(key))
        if has_moved_on(change.old, snapshot):
            self._wake_all(reference for reference in after if reference.kind == CONNECTOR)
        return change

    def _drop(self, key: ObjectKey, uid: str) -> None:
        snapshot = self._cache.remove(key, uid)
        if snapshot is not None:
            self._dropped(snapshot)

    def _dropped(self, snapshot: Snapshot) -> None:
        """Tell those that waited for the object to go, and those that relied on it.

        A setting that one MLClusterSettings had may be had by the next.
        """
        references = self._links.references(snapshot.key)
        self._links.remove(snapshot.key)
        self._queue.forget(snapshot.key)
        self._wake_all(references)
        self._wake_all(self._links.dependents(snapshot.key))
        if snapshot.key.kind == SETTINGS:
            for reference in references:
                self._wake_all(key for key in self._links.dependents(reference) if key.kind == SETTINGS)

    def _wake_all(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self.wake(key)


def _wants_run(change: Change) -> bool:
    """Whether somebody changed what a reconciler acts on; our own status writes come back without that."""
    old, new = change.old, change.new
    if old is None or not change.same_object:
        return True
    return (old.generation, old.deleting, old.finalizer, old.annotations) != (
        new.generation,
        new.deleting,
        new.finalizer,
        new.annotations,
    )


def _priority_when_listed(snapshot: Snapshot) -> Priority:
    """Of thousands of objects seen at start, those with unfinished business go first.

    So do connections: what runs before its connection was looked at has to run once more.
    """
    if snapshot.key.kind in CONNECTIONS:
        return Priority.URGENT
    settled = (
        not snapshot.deleting
        and snapshot.status.get("observedGeneration") == snapshot.generation
        and snapshot.requested_at in (None, snapshot.status.get("lastHandledReconcileAt"))
    )
    return Priority.RESYNC if settled else Priority.URGENT
