"""CPU and memory of a process, as the kernel tells them."""

from __future__ import annotations

import os
import resource
import time

import pytest

from bench.usage import Servers, usage


def test_a_process_that_works_is_seen_to() -> None:
    before = usage(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    after = usage(os.getpid())
    assert after.cpu - before.cpu >= 0.05
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert after.cpu == pytest.approx(used.ru_utime + used.ru_stime, abs=0.5)
    assert after.peak == pytest.approx(used.ru_maxrss / 1024, rel=0.1)
    assert 0 < after.memory <= after.peak


def test_a_process_that_is_gone() -> None:
    with pytest.raises(FileNotFoundError):
        usage(2**22 + 1)


def test_servers_are_told_by_name_from_a_moment_on() -> None:
    servers = Servers({"this": os.getpid()})
    before = servers.cpu()
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert servers.since(before)["this"] >= 0.05
