"""Ids as the server makes them: 20 characters of base64url, most of which hardly change.

The middle eight belong to the node for as long as it runs: if there is a hyphen among them, every id has it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ALPHANUMERIC = _ALPHABET[:-2]


def random_ids(random: Random) -> Callable[[], str]:
    """Return a source of ids that are never equal; one in twelve has a hyphen, the node's part has none."""
    node = "".join(random.choices(_ALPHANUMERIC, k=8))
    period = "".join(random.choices(_ALPHANUMERIC, k=6))
    given: set[str] = set()

    def next_id() -> str:
        while True:
            made = (
                "".join(random.choices(_ALPHABET, k=2))
                + period
                + node
                + "".join(random.choices(_ALPHABET, k=4))
            )
            if made not in given:
                given.add(made)
                return made

    return next_id
