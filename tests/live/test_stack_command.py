"""`python -m stack`: up until it is told to end, and nothing survives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]  # the first run builds the servers
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    arguments = [sys.executable, "-m", "stack", "--opensearch=3.6.0"]
    with subprocess.Popen(
        arguments, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def text_when_up(command: subprocess.Popen[str]) -> str:
    assert command.stdout is not None
    text = ""
    for line in command.stdout:
        text += line
        if "Ctrl-C ends everything" in line:
            return text
    pytest.fail(f"the stack did not come up: {text}")


def processes_with(word: str) -> set[str]:
    """Return the command lines of running processes that have the word in them."""
    found = set()
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command_line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if word in text:
            found.add(text)
    return found


def wait_until_gone(word: str) -> None:
    deadline = time.monotonic() + 30
    while left := processes_with(word):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_every_process_and_removes_the_folder(
    number: signal.Signals, command: subprocess.Popen[str], tmp_path: Path
) -> None:
    text_when_up(command)
    assert len(processes_with(str(tmp_path))) == 4  # etcd, two of Kubernetes, OpenSearch
    command.send_signal(number)
    assert command.wait(30) == 0
    assert processes_with(str(tmp_path)) == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exhaustive
def test_killed_command_leaves_no_process(command: subprocess.Popen[str], tmp_path: Path) -> None:
    model_server = re.search(r"Model server +http://127\.0\.0\.1:(\d+)/", text_when_up(command))
    assert model_server is not None
    command.kill()
    wait_until_gone(str(tmp_path))
    wait_until_gone(f"stack.modelserver --port={model_server.group(1)}")
