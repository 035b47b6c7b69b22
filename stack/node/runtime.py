"""containerd in the box, and how it connects its pods."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from stack.node.box import PODS, Box
from stack.node.needs import Machine
from stack.server import Server

READY_SECONDS = 30.0
PAUSE = "localhost/pause:1"
NAMESPACE = "k8s.io"
"""Where the kubelet's images are in containerd."""

CONFIG = """\
version = 2
root = "{folder}/containerd"
state = "/run/containerd-state"
imports = []

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "/run/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# Without CAP_SYS_RESOURCE nobody may lower an OOM score, and a node in a container is often without.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{folder}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"""


def socket_file(folder: Path) -> Path:
    """Return containerd's socket below the node's folder."""
    return folder / "containerd.sock"


def containerd(box: Box, machine: Machine) -> Server:
    """Return containerd, configured and not yet started."""
    folder = box.folder
    (folder / "cni").mkdir(exist_ok=True)
    (folder / "cni" / "10-local.conflist").write_text(json.dumps(_pod_network()))
    config = CONFIG.format(
        folder=folder,
        socket=socket_file(folder),
        pause=PAUSE,
        plugins=machine.plugins,
        runc=machine.programs["runc"],
    )
    (folder / "containerd.toml").write_text(config)
    command = box.entered(machine.programs["containerd"], "--config", folder / "containerd.toml")
    return Server(
        box.processes,
        "containerd",
        command,
        folder / "containerd.log",
        env=box.environ,
        ready=lambda: _listens(socket_file(folder)),
        ready_seconds=READY_SECONDS,
    )


def _pod_network() -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipMasq": False}
    return {"cniVersion": "0.4.0", "name": "local", "plugins": [{**bridge, "ipam": addresses}]}


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
