"""A Kubernetes node that runs pods, on the stack's own control plane."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from stack import go_binaries, versions
from stack.cache import Say
from stack.local import Stack, open_stack, say_on_stderr
from stack.node.base_images import BUILDAH, base_images
from stack.node.box import NETWORK, Box, open_box
from stack.node.dns import coredns
from stack.node.images import build_operator_image
from stack.node.kubelet import NAME, kube_proxy, kube_scheduler, kubelet
from stack.node.needs import Machine, require_machine, with_system_programs
from stack.node.runtime import NAMESPACE, containerd, socket_file
from stack.process import POLL_SECONDS
from stack.server import Server, ServerError

READY_SECONDS = 60.0


@dataclass(slots=True)
class Node:
    """A running node, and the stack that it belongs to."""

    stack: Stack
    box: Box
    machine: Machine
    programs: Path
    dns: Path
    _servers: list[Server] = field(default_factory=list, init=False)

    def start(self) -> None:
        """Start what runs in the box, and return when the node is Ready. Raises ServerError."""
        began = datetime.now(UTC).replace(microsecond=0)
        control_plane = self.stack.control_plane
        runtime = containerd(self.box, self.machine)
        runtime.start()
        self._servers = [runtime]
        self.load(self.stack.built(base_images()) / "pause.tar")
        for server in (
            coredns(self.box, self.dns / "coredns", control_plane),
            kubelet(self.box, self.programs / "kubelet", control_plane),
            kube_proxy(self.box, self.programs / "kube-proxy", control_plane),  # waits for the node's object
        ):
            server.start()
            self._servers.append(server)
        self._wait_until_ready(began)

    def restart(self) -> None:
        """Cut the power, and start again with the same disk."""
        self.stop()
        self.box.start()
        self.start()

    def stop(self) -> None:
        """Cut the power."""
        self.box.stop()
        for server in self._servers:
            server.stop(seconds=0)

    def load(self, archive: Path) -> None:
        """Give the node an image, which it can not pull from anywhere. Raises ServerError."""
        self._ctr("images", "import", archive)

    def tag(self, image: str, other: str) -> None:
        """Give an image of the node another name. Raises ServerError."""
        self._ctr("images", "tag", "--force", image, other)

    def kill_container(self, container: str) -> None:
        """Kill a container, named by its id. Raises ServerError."""
        self._ctr("tasks", "kill", "--signal", "SIGKILL", container)

    def _ctr(self, *arguments: str | Path) -> None:
        where = ("--address", socket_file(self.box.folder), "--namespace", NAMESPACE)
        self.box.run(self.machine.programs["ctr"], *where, *arguments)

    def _wait_until_ready(self, began: datetime) -> None:
        """Wait for a Ready of this start: what the API server knows of the one before looks the same."""
        deadline = time.monotonic() + READY_SECONDS
        with self.stack.control_plane.client() as client:
            while True:
                answer = client.get(f"/api/v1/nodes/{NAME}")
                conditions = answer.json()["status"].get("conditions", []) if answer.is_success else []
                if any(
                    each["type"] == "Ready"
                    and each["status"] == "True"
                    and datetime.fromisoformat(each["lastHeartbeatTime"]) >= began
                    for each in conditions
                ):
                    return
                if time.monotonic() > deadline:
                    raise ServerError(f"the node is not Ready after {READY_SECONDS:.0f} s: {conditions}")
                time.sleep(POLL_SECONDS)


def build_node(stack: Stack, opensearch: Sequence[str]) -> tuple[Machine, Path, Path]:
    """Build what a node needs; return what it has of the machine, and the folders of its programs and of DNS.

    Raises MissingToolsError before anything is built.
    """
    recipes = [
        go_binaries.etcd(),
        go_binaries.kubernetes(),
        go_binaries.node(),
        go_binaries.coredns(),
        go_binaries.helm(),
        base_images(),
    ]
    tools = [tool for recipe in recipes if not stack.cache.has(recipe) for tool in recipe.tools]
    machine = require_machine(stack.environ, [*tools, BUILDAH])
    stack.build(opensearch=opensearch, kubernetes=True, commands=False)
    folders = [stack.built(recipe) for recipe in recipes]
    return machine, folders[2], folders[3]


@contextlib.contextmanager
def open_node(
    opensearch: Sequence[str] = (versions.OPENSEARCH_3,),
    environ: Mapping[str, str] = os.environ,
    say: Say = say_on_stderr,
) -> Iterator[Node]:
    """Start a stack and a node with the operator's image, which reaches it; at the end nothing is left.

    Raises MissingToolsError, BuildError or ServerError.
    """
    with open_stack(with_system_programs(environ), say, NETWORK) as stack:
        machine, programs, dns = build_node(stack, opensearch)
        image = build_operator_image(stack)
        folder = stack.folder / "node"
        folder.mkdir()
        with open_box(folder, stack.processes, stack.environ, stack.cache.root / "node.lock", say) as box:
            stack.start(opensearch=opensearch, kubernetes=True, models=True)
            kube_scheduler(box, programs / "kube-scheduler", stack.control_plane, stack.ports).start()
            node = Node(stack, box, machine, programs, dns)
            try:
                node.start()
                node.load(image)
                yield node
            finally:
                node.stop()
