"""What a node needs of the machine, told as a whole before anything is built."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.toolchain import MissingToolsError, Tool, missing, require

PROGRAMS: Final = ("containerd", "ctr", "runc", "ip", "nft", "unshare", "nsenter")
PLUGIN_FOLDERS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
PLUGINS: Final = ("bridge", "host-local", "loopback")
BOX: Final = ("unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/run")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's programs that a node runs, by name, and the folder of its network plugins."""

    programs: Mapping[str, Path]
    plugins: Path


def with_system_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the folders on PATH that only an administrator's shell may have there."""
    return {**environ, "PATH": f"{environ.get('PATH', '')}:/usr/sbin:/sbin"}


def require_machine(
    environ: Mapping[str, str],
    to_build: list[Tool],
    *,
    user: int | None = None,
    folders: tuple[Path, ...] = PLUGIN_FOLDERS,
) -> Machine:
    """Return what a node runs of the machine. Raises MissingToolsError that names all that is missing."""
    tools = [Tool(program) for program in PROGRAMS]
    lacks = missing([*tools, *to_build], environ)
    plugins = next((each for each in folders if all((each / name).is_file() for name in PLUGINS)), None)
    if plugins is None:
        lacks.append("the CNI plugins: run `apt-get install containernetworking-plugins`")
    if (os.geteuid() if user is None else user) != 0:
        lacks.append("the rights of root: namespaces, mounts and a network are made; run `sudo make node`")
    elif not lacks and (refusal := _refusal(environ)):
        lacks.append(
            f"the right to make namespaces and mounts, also as root ({refusal}): a privileged container"
        )
    if lacks or plugins is None:
        raise MissingToolsError("the node needs what is not here:\n  - " + "\n  - ".join(lacks))
    return Machine({tool.program: path for tool, path in require(tools, environ).items()}, plugins)


def _refusal(environ: Mapping[str, str]) -> str:
    tried = subprocess.run(BOX, env=dict(environ), capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode != 0 else ""
