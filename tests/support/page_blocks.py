"""The shell blocks of a page of the documentation, run as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.local import Stack

ROOT = Path(__file__).parents[2]
SECONDS = 240


def blocks_of(page: str, *, language: str = "") -> list[str]:
    """Return the fenced blocks of a page in docs/, those of one language."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def readers_environment(stack: Stack, folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has kubectl, Helm and a cluster; the folder is the home."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(stack.helm())
    (programs / "kubectl").symlink_to(stack.control_plane.kubectl)
    kubeconfig = str(stack.control_plane.kubeconfig)
    return {"PATH": f"{programs}:{os.defpath}", "HOME": str(folder), "KUBECONFIG": kubeconfig}


def assignments(values: Mapping[str, str]) -> str:
    """Return the block that sets a reader's own values."""
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def run_blocks(blocks: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run blocks in one shell from the root of the checkout, and return what was printed."""
    ran = subprocess.run(
        ["/bin/bash", "-c", "\n".join(["set -euo pipefail", *blocks])],  # its -e: a block that fails ends it
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
