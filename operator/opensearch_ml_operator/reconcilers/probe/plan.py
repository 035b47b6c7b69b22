"""When a model is probed, and what a failure means: pure functions of the spec and of the last probe.

A prediction may cost money, so there is none without a cause: a change, the interval, or a failure that may
have gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...models.common import seconds
from ...models.probe import Probe

FIRST_RETRY = 10.0
LONGEST_RETRY = 300.0
"""Seconds between the probes of an unhealthy model: from the first on twice as long each time."""
_SOON = 0.5
"""Seconds that are not worth another run."""


@dataclass(frozen=True, slots=True)
class Known:
    """The last probe of the very model, connector and spec that are to be probed."""

    healthy: bool
    failures: int
    """Failures in a row."""
    since: float
    """Seconds since the probe, or since this process has read of it."""
    asked: bool
    """Whether a person has asked for a look since."""


def wait(probe: Probe, known: Known | None) -> float | None:
    """Return the seconds until the next probe; None when only a change calls for one."""
    if known is None:
        return 0.0
    interval = seconds(probe.interval) if probe.mode == "Periodic" else None
    if known.healthy:
        return None if interval is None else _left(interval, known)
    if known.asked:
        return 0.0
    pause = pause_after(known.failures)
    return _left(min(pause, interval or pause), known)


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures - 1, 30))


def healthy(probe: Probe, known: Known | None, *, answered: bool) -> bool:
    """Return whether the model counts as healthy after one more probe."""
    return answered or (known is not None and known.healthy and known.failures + 1 < probe.failure_threshold)


def _left(pause: float, known: Known) -> float:
    left = pause - known.since
    return left if left > _SOON else 0.0
