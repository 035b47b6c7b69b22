"""How tests that run side by side are shared out: those on real servers to a few processes, file by file.

A process that gets such a test starts servers of its own, which takes a minute and 3 GB of memory.
"""

from __future__ import annotations

import zlib

from xdist.scheduler import LoadScopeScheduling

SERVERS = 2
"""How many processes have servers."""
_LIVE = "tests/live/"


class Sharing(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out the largest shares first: those with servers. Any other test is a share of its own."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


def share(nodeid: str) -> str:
    """Return the share that a test belongs to; that of a file on servers is the same in every run."""
    file, _, _ = nodeid.partition("::")
    return f"servers {zlib.crc32(file.encode()) % SERVERS}" if file.startswith(_LIVE) else nodeid
