from __future__ import annotations

import random
import socket
from pathlib import Path

from stack.ports import FIRST, LAST, Ports


def same_chance() -> random.Random:
    return random.Random(7)  # noqa: S311 - the same numbers every time are the point


def test_two_stacks_never_get_the_same_port(tmp_path: Path) -> None:
    # Without the locks both would choose the same numbers.
    with Ports(tmp_path, same_chance()) as one, Ports(tmp_path, same_chance()) as other:
        ports = [stack.take() for _ in range(20) for stack in (one, other)]
    assert len(set(ports)) == 40
    assert all(FIRST <= port <= LAST for port in ports)


def test_port_that_somebody_listens_on_is_passed_over(tmp_path: Path) -> None:
    with Ports(tmp_path / "one", same_chance()) as ports:
        first = ports.take()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first))
        listener.listen()
        with Ports(tmp_path / "two", same_chance()) as ports:
            assert ports.take() != first


def test_port_is_free_again_after_the_end(tmp_path: Path) -> None:
    taken = []
    for _ in range(2):
        with Ports(tmp_path, same_chance()) as ports:
            taken.append(ports.take())
    assert taken[0] == taken[1]
