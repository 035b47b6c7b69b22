from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.process import Processes
from stack.server import Server, ServerError


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


def server(processes: Processes, folder: Path, script: str, *, seconds: float = 20) -> Server:
    log_file = folder / "log"

    def says_ready() -> bool:
        return log_file.is_file() and "ready" in log_file.read_text()

    command = ["sh", "-c", script]
    return Server(processes, "thing", command, log_file, os.environ, says_ready, seconds)


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_start_returns_when_it_is_ready(processes: Processes, tmp_path: Path) -> None:
    thing = server(processes, tmp_path, "sleep 0.2; echo ready; exec sleep 600")
    thing.start()
    assert thing.is_running()
    assert thing.log_file.read_text() == "ready\n"
    with pytest.raises(ServerError, match="thing runs already"):
        thing.start()


def test_server_that_ends_is_reported_at_once_with_its_log(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"(?s)thing ended before it was ready.*the port is taken"):
        server(processes, tmp_path, "echo the port is taken; exit 1", seconds=600).start()


def test_server_that_is_too_slow_is_reported_with_its_log(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"(?s)not ready within 0 s.*busy"):
        server(processes, tmp_path, "echo busy; exec sleep 600", seconds=0.3).start()


def test_stopped_server_starts_again_in_the_same_log(processes: Processes, tmp_path: Path) -> None:
    thing = server(processes, tmp_path, "echo ready; exec sleep 600")
    thing.start()
    thing.stop()
    assert not thing.is_running()
    thing.start()
    eventually(lambda: thing.log_file.read_text() == "ready\nready\n")
    assert thing.is_running()


def test_stopping_twice_is_fine_and_pausing_a_stopped_one_is_not(
    processes: Processes, tmp_path: Path
) -> None:
    thing = server(processes, tmp_path, "echo ready; exec sleep 600")
    thing.start()
    thing.stop(seconds=0)
    thing.stop()
    with pytest.raises(ServerError, match="thing does not run"):
        thing.pause()


def test_paused_server_stands_still_and_goes_on(processes: Processes, tmp_path: Path) -> None:
    thing = server(processes, tmp_path, "echo ready; echo $$ > pid; exec sleep 600")
    thing.cwd = tmp_path
    thing.start()
    eventually(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    thing.pause()
    assert state(pid) == "T"
    thing.resume()
    eventually(lambda: state(pid) == "S")
