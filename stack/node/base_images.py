"""The images that a node needs from elsewhere, made here: the Dockerfile's base, and the sandbox of pods.

The base stands in for the image of that name: Debian, with its own Python of the same release.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from stack import versions
from stack.cache import Recipe, Workshop
from stack.node.runtime import PAUSE
from stack.toolchain import Tool

BASE: Final = "localhost/python:3.13-slim"
"""Where buildah looks first for the Dockerfile's short name."""
BUILDAH, DEBOOTSTRAP, PAUSER = Tool("buildah"), Tool("debootstrap"), Tool("catatonit")
STORAGE: Final = {"STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}
PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
NEEDLESS = (
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)
BASE_FILE = """\
FROM scratch
COPY root /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""
PAUSE_FILE = """\
FROM scratch
COPY catatonit /pause
USER 65535:65535
ENTRYPOINT ["/pause", "-P"]
"""


def base_images() -> Recipe:
    """Return the recipe of the archives base.tar and pause.tar."""
    inputs = Path(__file__).read_text()
    tools = (BUILDAH, DEBOOTSTRAP, PAUSER)
    return Recipe("images", versions.DEBIAN, inputs, "about 2 minutes", tools, _build)


def buildah_command(buildah: Path, folder: Path) -> list[str | Path]:
    """Return the start of a command line of buildah with a store in the folder; its mounts end with it."""
    store: list[str | Path] = ["--root", folder / "storage", "--runroot", folder / "storage-run"]
    return ["unshare", "--mount", buildah, *store]


def _build(workshop: Workshop) -> None:
    base, pause = workshop.scratch / "base", workshop.scratch / "pause"
    base.mkdir()
    root = base / "root"
    bootstrap: list[str | Path] = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command = ["unshare", "--mount", workshop.tools[DEBOOTSTRAP], *bootstrap, versions.DEBIAN, root]
    workshop.run(command, base, {})
    # The image that it stands for holds no bytecode either.
    for needless in [*map(root.joinpath, NEEDLESS), *root.joinpath("usr").rglob("__pycache__")]:
        shutil.rmtree(needless)
    for name, target in {"python": "python3", "python3": "python3", "pip": "pip"}.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    (base / "Dockerfile").write_text(BASE_FILE)
    _archive(workshop, base, BASE)
    pause.mkdir()
    shutil.copy(workshop.tools[PAUSER], pause / "catatonit")
    (pause / "Dockerfile").write_text(PAUSE_FILE)
    _archive(workshop, pause, PAUSE)


def _archive(workshop: Workshop, folder: Path, name: str) -> None:
    """Build the image of a folder with a Dockerfile, and write its archive, named as the folder."""
    buildah = buildah_command(workshop.tools[BUILDAH], workshop.scratch)
    archive = f"oci-archive:{workshop.folder / folder.name}.tar:{name}"
    for step in (["build", "--quiet", "--tag", name, "."], ["push", "--quiet", name, archive]):
        workshop.run([*buildah, *step], folder, STORAGE)
