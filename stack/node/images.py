"""The operator's image, built from the Dockerfile without a registry."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from opensearch_ml_operator import __version__
from stack.local import Stack
from stack.node.base_images import BUILDAH, STORAGE, base_images, buildah_command
from stack.process import tail
from stack.server import ServerError
from stack.toolchain import require

REPOSITORY = Path(__file__).parents[2]
OPERATOR: Final = f"localhost/opensearch-ml-operator:{__version__}"
"""The name of the operator's image on the node."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def build_operator_image(stack: Stack, name: str = OPERATOR) -> Path:
    """Build the image as `docker build` does, and return its archive.

    Raises ServerError with the end of the build's log.
    """
    base = stack.built(base_images()) / "base.tar"
    folder = stack.folder / "images"
    folder.mkdir(exist_ok=True)
    archive = folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
    # pip trusts whom the machine trusts: the way to the packages may have an authority of its own.
    trust = f"{AUTHORITIES}:{AUTHORITIES}:ro"
    steps: list[list[str | Path]] = [
        ["pull", "--quiet", f"oci-archive:{base}"],
        ["build", "--volume", trust, "--tag", name, REPOSITORY],
        ["push", "--quiet", name, f"oci-archive:{archive}:{name}"],
    ]
    log_file = folder / "build.log"
    environ = {**stack.environ, **STORAGE}
    with tempfile.TemporaryDirectory(dir=folder) as store:
        buildah = buildah_command(require([BUILDAH], stack.environ)[BUILDAH], Path(store))
        for step in steps:
            child = stack.processes.start([*buildah, *step], log_file, env=environ)
            returned = child.wait()
            stack.processes.end(child, seconds=0)
            if returned != 0:
                raise ServerError(f"building {name} failed; the end of {log_file}:\n{tail(log_file)}")
    return archive
