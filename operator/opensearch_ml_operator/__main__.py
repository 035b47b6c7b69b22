"""`python -m opensearch_ml_operator`: able to be stopped first, then everything else."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the operator; the exit status is 1 when it could not go on, 2 when a setting is wrong."""
    # The first process of a container hears no SIGTERM that it has not asked for, and loading takes a second:
    # a pod that is stopped right after its start would stay for the whole grace period.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from .startup import start  # noqa: PLC0415 - what takes the second

    start()


if __name__ == "__main__":
    main()
