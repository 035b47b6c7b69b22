"""Built servers, kept outside the tree: each is made once per version and recipe, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from stack.process import POLL_SECONDS, Processes, has_ended, tail
from stack.toolchain import Tool

PROGRESS_SECONDS = 20.0

Say = Callable[[str], None]


class BuildError(Exception):
    """A build failed; the text has the end of its log."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the project's folder below $XDG_CACHE_HOME, ~/.cache when that is not set."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache"
    return Path(base) / "opensearch-ml-operator"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one entry is built.

    `inputs` is all that shapes the result; another text is another entry. `effort` tells a waiting person
    what to expect.
    """

    name: str
    version: str
    inputs: str
    effort: str
    tools: tuple[Tool, ...]
    build: Callable[[Workshop], None]

    @property
    def key(self) -> str:
        """The entry's folder name: a changed recipe never meets what an older one made."""
        return f"{self.version}-{hashlib.sha256(self.inputs.encode()).hexdigest()[:12]}"

    @property
    def title(self) -> str:
        """The entry's name for people."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a build is given: the folder to fill, a scratch folder, the tools, and a way to run them."""

    folder: Path
    scratch: Path
    tools: Mapping[Tool, Path]
    environ: Mapping[str, str]
    run: Callable[[Sequence[str | Path], Path, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of built entries. `say` gets the lines that a waiting person reads."""

    root: Path
    say: Say

    def has(self, recipe: Recipe) -> bool:
        """Tell whether the entry is there."""
        return self._entry(recipe).is_dir()

    def get(
        self, recipe: Recipe, tools: Mapping[Tool, Path], processes: Processes, environ: Mapping[str, str]
    ) -> Path:
        """Return the entry's folder; build it first when it is not there.

        Raises BuildError with the end of the build log. An interrupted build leaves no entry, and two
        callers at once, in one process or in two, build once.
        """
        entry = self._entry(recipe)
        if entry.is_dir():
            return entry
        entry.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(recipe, processes):
            if not entry.is_dir():
                self._build(recipe, tools, processes, environ)
        return entry

    def _entry(self, recipe: Recipe) -> Path:
        return self.root / recipe.name / recipe.key

    def _build(
        self, recipe: Recipe, tools: Mapping[Tool, Path], processes: Processes, environ: Mapping[str, str]
    ) -> None:
        entry = self._entry(recipe)
        partial = entry.with_name(f"{recipe.key}.partial")
        log_file = entry.with_name(f"{recipe.key}.log")
        shutil.rmtree(partial, ignore_errors=True)
        log_file.unlink(missing_ok=True)
        result, scratch = partial / "result", partial / "scratch"
        result.mkdir(parents=True)
        scratch.mkdir()
        began = time.monotonic()

        def run(command: Sequence[str | Path], cwd: Path, extra_environ: Mapping[str, str]) -> None:
            child = processes.start(command, log_file, env={**environ, **extra_environ}, cwd=cwd)
            self._watch(recipe, child, began)
            processes.end(child, seconds=0)
            processes.check_open()
            if child.returncode != 0:
                raise BuildError(f"building {recipe.title} failed; the end of {log_file}:\n{tail(log_file)}")

        self.say(f"building {recipe.title} ({recipe.effort}, once) …")
        try:
            recipe.build(Workshop(result, scratch, tools, environ, run))
            result.rename(entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.say(f"built {recipe.title} in {time.monotonic() - began:.0f} s")

    def _watch(self, recipe: Recipe, child: subprocess.Popen[bytes], began: float) -> None:
        said = time.monotonic()
        while not has_ended(child):
            time.sleep(POLL_SECONDS)
            if time.monotonic() - said >= PROGRESS_SECONDS:
                said = time.monotonic()
                self.say(f"building {recipe.title} ({recipe.effort}, once) … {said - began:.0f} s")

    @contextlib.contextmanager
    def _locked(self, recipe: Recipe, processes: Processes) -> Iterator[None]:
        """Hold the entry's lock. The lock ends with its holder, however that ends."""
        with self._entry(recipe).with_name(f"{recipe.key}.lock").open("w") as lock:
            if not _try_lock(lock):
                self.say(f"waiting for another run that builds {recipe.title} …")
                while not _try_lock(lock):
                    processes.check_open()
                    time.sleep(POLL_SECONDS)
            yield


def _try_lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
