"""What a run of a reconciler tells the engine, and what the engine expects of a reconciler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from ..models.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended without an error, and when the object wants the next one.

    Without any of the fields the object rests until it, or something it refers to, changes.
    """

    requeue_after: float | None = None
    """Seconds until the next run, give or take a fifth; a change in between comes first."""
    retry: bool = False
    """The run met a failure that the status already shows: run again after a delay that grows each time, but
    not before `requeue_after`."""
    finalized: bool = False
    """Nothing of the object is left in OpenSearch, for certain: the finalizer may go."""


DONE: Final = Outcome()
RETRY: Final = Outcome(retry=True)
FINALIZED: Final = Outcome(finalized=True)


class Reconciler(Protocol):
    """Brings OpenSearch closer to what one object says, by at most one effect a run.

    Neither method waits for the server to finish anything: it returns and asks to be run again. The engine
    never runs two of them on one object at a time.
    """

    async def reconcile(self, snapshot: Snapshot) -> Outcome:
        """Take the next step towards the spec; our finalizer stands in the object."""

    async def finalize(self, snapshot: Snapshot) -> Outcome:
        """Take the next step towards removal; must bear being called again after it was finalized."""
