"""CoreDNS in the box: the names of Services, and no others."""

from __future__ import annotations

from pathlib import Path

from stack.controlplane import ControlPlane
from stack.node.box import ADDRESS, Box
from stack.node.kubelet import DOMAIN, in_the_box
from stack.server import Server

HEALTH = 8053

COREFILE = """\
{domain}:53 in-addr.arpa:53 {{
    bind {address}
    errors
    health {address}:{health}
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 0
    }}
}}
"""


def coredns(box: Box, program: Path, control_plane: ControlPlane) -> Server:
    """Return the server that pods ask for names, configured and not yet started."""
    corefile = box.folder / "Corefile"
    corefile.write_text(
        COREFILE.format(domain=DOMAIN, address=ADDRESS, health=HEALTH, kubeconfig=control_plane.kubeconfig)
    )
    return in_the_box(box, "coredns", [program, "-conf", corefile], f"http://{ADDRESS}:{HEALTH}/health")
