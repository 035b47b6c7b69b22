from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.process import ClosedError, Processes, has_ended, tail

# A child with a child of its own, which both ignore the polite signal; it prints the two numbers.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(600)
"""


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def printed_pids(log_file: Path) -> list[int]:
    eventually(lambda: log_file.is_file() and len(log_file.read_text().split()) == 2)
    return [int(word) for word in log_file.read_text().split()]


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_end_is_polite_first(processes: Processes, log_file: Path) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    child = processes.start(["sh", "-c", script], log_file, env=os.environ)
    eventually(lambda: log_file.read_text() == "up\n")
    processes.end(child, seconds=20)
    assert child.returncode == 5
    assert log_file.read_text().endswith("bye\n")


def test_end_kills_what_ignores_it_with_its_children(processes: Processes, log_file: Path) -> None:
    child = processes.start([sys.executable, "-c", STUBBORN], log_file, env=os.environ)
    pids = printed_pids(log_file)
    assert all(runs(pid) for pid in pids)
    processes.end(child, seconds=0.1)
    assert child.returncode == -signal.SIGKILL
    eventually(lambda: not any(runs(pid) for pid in pids))


def test_end_reaches_the_children_of_a_process_that_ended_by_itself(
    processes: Processes, log_file: Path
) -> None:
    child = processes.start(["sh", "-c", "sleep 600 & echo $$ $!"], log_file, env=os.environ)
    _, orphan = printed_pids(log_file)
    eventually(lambda: has_ended(child))
    assert runs(orphan)
    processes.end(child, seconds=0)
    eventually(lambda: not runs(orphan))


def test_a_child_that_was_waited_for_has_ended(processes: Processes, log_file: Path) -> None:
    child = processes.start(["true"], log_file, env=os.environ)
    os.waitpid(child.pid, 0)  # as another thread does, a moment before it says so
    assert child.returncode is None
    assert has_ended(child)


def test_end_reaches_a_paused_process(processes: Processes, log_file: Path) -> None:
    child = processes.start(["sleep", "600"], log_file, env=os.environ)
    os.kill(child.pid, signal.SIGSTOP)
    began = time.monotonic()
    processes.end(child, seconds=60)
    assert child.returncode == -signal.SIGTERM
    assert time.monotonic() - began < 30


def test_close_ends_all_and_lets_nothing_start(log_file: Path) -> None:
    processes = Processes()
    children = [processes.start(["sleep", "600"], log_file, env=os.environ) for _ in range(2)]
    os.kill(children[1].pid, signal.SIGSTOP)
    processes.close()
    assert [child.returncode for child in children] == [-signal.SIGKILL] * 2
    with pytest.raises(ClosedError):
        processes.start(["true"], log_file, env=os.environ)
    processes.close()


def test_children_end_with_an_exception(log_file: Path) -> None:
    children: list[subprocess.Popen[bytes]] = []

    def fail() -> None:
        with Processes() as processes:
            children.append(processes.start(["sleep", "600"], log_file, env=os.environ))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [child.returncode for child in children] == [-signal.SIGKILL]


OWNER = f"""
import os, pathlib, signal, sys, threading, time
from stack.process import Processes
for number in (signal.SIGINT, signal.SIGHUP):  # a job in the background may have been told to ignore them
    signal.signal(number, signal.SIG_DFL)
processes = Processes()
STUBBORN = {STUBBORN!r}
def start():
    processes.start([sys.executable, "-c", STUBBORN], pathlib.Path(sys.argv[1]), env=os.environ)
starter = threading.Thread(target=start)
starter.start()
starter.join()
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_children_end_with_their_owner_and_outlive_the_thread_that_started_them(
    number: signal.Signals, log_file: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, log_file], stderr=subprocess.DEVNULL) as owner:
        pids = printed_pids(log_file)
        assert all(runs(pid) for pid in pids)
        owner.send_signal(number)
    eventually(lambda: not any(runs(pid) for pid in pids))


def test_ctrl_c_of_the_terminal_does_not_reach_the_children(processes: Processes, log_file: Path) -> None:
    child = processes.start(["sleep", "600"], log_file, env=os.environ)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_child_gets_its_environment_and_folder_and_nothing_else(
    processes: Processes, log_file: Path, tmp_path: Path
) -> None:
    script = "cat; pwd; echo $ONE; echo ${HOME:-none}"
    child = processes.start(
        ["/bin/sh", "-c", script], log_file, env={"ONE": "1", "PATH": os.environ["PATH"]}, cwd=tmp_path
    )
    eventually(lambda: has_ended(child))
    assert log_file.read_text().split() == [str(tmp_path), "1", "none"]


def test_tail_is_the_end_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\nthree\n")
    assert tail(tmp_path / "log", 2) == "two\nthree"
    assert tail(tmp_path / "absent") == ""
