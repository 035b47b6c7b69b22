from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stack.cache import BuildError, Cache, Recipe, Workshop, cache_folder
from stack.process import ClosedError, Processes


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


def recipe(build: Callable[[Workshop], None], inputs: str = "") -> Recipe:
    return Recipe("thing", "1.0", inputs, "a moment", (), build)


def make(cache: Cache, wanted: Recipe, processes: Processes) -> Path:
    return cache.get(wanted, {}, processes, os.environ)


def write_content(workshop: Workshop) -> None:
    (workshop.folder / "content").write_text("whole")


def test_entry_is_built_once_and_said_so(tmp_path: Path, processes: Processes) -> None:
    said: list[str] = []
    cache = Cache(tmp_path, said.append)
    wanted = recipe(write_content)
    assert not cache.has(wanted)
    folder = make(cache, wanted, processes)
    assert (folder / "content").read_text() == "whole"
    assert make(cache, wanted, processes) == folder
    building, built = said
    assert building == "building thing 1.0 (a moment, once) …"
    assert re.fullmatch(r"built thing 1\.0 in \d+ s", built)


def test_changed_recipe_is_another_entry(tmp_path: Path, processes: Processes) -> None:
    cache = Cache(tmp_path, print)
    first = make(cache, recipe(write_content, "one"), processes)
    assert make(cache, recipe(write_content, "two"), processes) != first


def test_failed_build_shows_its_log_and_leaves_nothing(tmp_path: Path, processes: Processes) -> None:
    def fail(workshop: Workshop) -> None:
        write_content(workshop)
        workshop.run(["sh", "-c", "echo the reason; exit 3"], workshop.scratch, {})

    cache = Cache(tmp_path, print)
    with pytest.raises(BuildError, match="the reason"):
        make(cache, recipe(fail), processes)
    assert not cache.has(recipe(fail))
    assert [path for path in (tmp_path / "thing").iterdir() if path.is_dir()] == []


def test_command_runs_where_and_with_what_the_recipe_says(tmp_path: Path, processes: Processes) -> None:
    def build(workshop: Workshop) -> None:
        workshop.run(
            ["sh", "-c", f"pwd > {workshop.folder}/where; echo $WORD >> {workshop.folder}/where"],
            workshop.scratch,
            {"WORD": "yes"},
        )
        (workshop.folder / "scratch").write_text(str(workshop.scratch))

    folder = make(Cache(tmp_path, print), recipe(build), processes)
    assert (folder / "where").read_text().split() == [(folder / "scratch").read_text(), "yes"]


def test_build_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    begun = threading.Event()

    def sleep(workshop: Workshop) -> None:
        begun.set()
        workshop.run(["sleep", "600"], workshop.scratch, {})

    cache = Cache(tmp_path, print)
    with ThreadPoolExecutor() as threads, Processes() as processes:
        building = threads.submit(make, cache, recipe(sleep), processes)
        assert begun.wait(10)
        processes.close()
        with pytest.raises(ClosedError):
            building.result(timeout=10)
    assert not cache.has(recipe(sleep))
    assert [path for path in (tmp_path / "thing").iterdir() if path.is_dir()] == []


KILLED_BUILD = """
import os, pathlib, sys
from stack.cache import Cache, Recipe
from stack.process import Processes

def build(workshop):
    (workshop.folder / "content").write_text("half")
    print("begun", flush=True)
    workshop.run(["sleep", "600"], workshop.scratch, {})

with Processes() as processes:
    Cache(pathlib.Path(sys.argv[1]), lambda line: None).get(
        Recipe("thing", "1.0", "", "a moment", (), build), {}, processes, os.environ
    )
"""


def test_build_of_a_killed_run_is_made_anew(tmp_path: Path, processes: Processes) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED_BUILD, tmp_path], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        run.send_signal(signal.SIGKILL)
    cache = Cache(tmp_path, print)
    assert not cache.has(recipe(write_content))
    folder = make(cache, recipe(write_content), processes)
    assert [path.name for path in folder.iterdir()] == ["content"]
    assert (folder / "content").read_text() == "whole"


ONE_OF_TWO = """
import os, pathlib, sys, time
from stack.cache import Cache, Recipe
from stack.process import Processes

def build(workshop):
    with open(sys.argv[2], "a") as builds:
        builds.write("built\\n")
    workshop.run(["sleep", "0.3"], workshop.scratch, {})

with Processes() as processes:
    print(Cache(pathlib.Path(sys.argv[1]), lambda line: None).get(
        Recipe("thing", "1.0", "", "a moment", (), build), {}, processes, os.environ
    ))
"""


def test_two_runs_at_once_build_once(tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-c", ONE_OF_TWO, tmp_path / "cache", tmp_path / "builds"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [run.communicate(timeout=30)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert answers[0] == answers[1]
    assert (tmp_path / "builds").read_text() == "built\n"


def test_two_threads_at_once_build_once_and_the_second_says_that_it_waits(
    tmp_path: Path, processes: Processes
) -> None:
    said: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def build(_: Workshop) -> None:
        begun.set()
        assert go_on.wait(10)

    cache = Cache(tmp_path, said.append)
    threads = [threading.Thread(target=make, args=(cache, recipe(build), processes)) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    deadline = time.monotonic() + 10
    while "waiting for another run that builds thing 1.0 …" not in said:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [line for line in said if line.startswith("built")] == ["built thing 1.0 in 0 s"]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/elsewhere", "HOME": "/home/me"}, "/elsewhere/opensearch-ml-operator"),
        ({"HOME": "/home/me"}, "/home/me/.cache/opensearch-ml-operator"),
    ],
)
def test_cache_is_where_the_convention_says(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ) == Path(folder)
