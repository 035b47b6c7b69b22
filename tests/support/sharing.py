"""How tests that run side by side are shared out: whole files where their tests have something in common.

A process that gets a test on real servers starts servers of its own, which takes a minute and 3 GB of memory:
`make test` has two of them.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

_WHOLE = (
    "tests/live/",  # an operator
    "tests/component/test_crash_sample.py",  # the runs without faults
)


class Sharing(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out the next share to whoever is free, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


def share(nodeid: str) -> str:
    """Return the share that a test belongs to."""
    file, _, _ = nodeid.partition("::")
    return file if file.startswith(_WHOLE) else nodeid
