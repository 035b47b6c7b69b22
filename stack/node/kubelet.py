"""The kubelet and kube-proxy in the box, and the scheduler beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from stack.controlplane import ControlPlane
from stack.node.box import ADDRESS, NETWORK, PODS, Box
from stack.node.runtime import socket_file
from stack.ports import Ports
from stack.server import Server

READY_SECONDS = 60.0
NAME = NETWORK.node or ""
DOMAIN = "cluster.local"
KUBELET_HEALTH, PROXY_HEALTH = 10248, 10256


def kubelet(box: Box, program: Path, control_plane: ControlPlane) -> Server:
    """Return the kubelet, configured and not yet started."""
    config = box.folder / "kubelet.json"
    config.write_text(json.dumps(_configuration(box.folder, control_plane)))
    flags = [
        f"--config={config}",
        f"--kubeconfig={control_plane.node_kubeconfig}",
        f"--root-dir={box.folder / 'kubelet'}",
        f"--cert-dir={box.folder / 'kubelet-certificates'}",
        f"--hostname-override={NAME}",
        f"--node-ip={ADDRESS}",
    ]
    return in_the_box(box, "kubelet", [program, *flags], f"http://{ADDRESS}:{KUBELET_HEALTH}/healthz")


def kube_proxy(box: Box, program: Path, control_plane: ControlPlane) -> Server:
    """Return kube-proxy: without it no pod reaches a Service, not even the API server's own."""
    flags = [
        f"--kubeconfig={control_plane.kubeconfig}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={PODS}",
        f"--hostname-override={NAME}",
        f"--bind-address={ADDRESS}",
        f"--healthz-bind-address={ADDRESS}:{PROXY_HEALTH}",
        # Settings of the whole kernel, which a network namespace may not change.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
    ]
    return in_the_box(box, "kube-proxy", [program, *flags], f"http://{ADDRESS}:{PROXY_HEALTH}/healthz")


def kube_scheduler(box: Box, program: Path, control_plane: ControlPlane, ports: Ports) -> Server:
    """Return the scheduler. It is a part of the control plane and stays when the node's power is cut."""
    port = ports.take()
    flags = [
        f"--kubeconfig={control_plane.kubeconfig}",
        f"--authentication-kubeconfig={control_plane.kubeconfig}",
        f"--authorization-kubeconfig={control_plane.kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={box.folder / 'kube-scheduler'}",
    ]
    return _server(box, "kube-scheduler", [program, *flags], f"https://127.0.0.1:{port}/healthz")


def _configuration(folder: Path, control_plane: ControlPlane) -> dict[str, Any]:
    upstream = folder / "resolv.conf"
    upstream.write_text("")  # the names of the machine's network are not for pods
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "healthzBindAddress": ADDRESS,
        "healthzPort": KUBELET_HEALTH,
        # The API server's certificate is the only one that the authority gives out.
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(control_plane.ca_file)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{socket_file(folder)}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # a lower one needs CAP_SYS_RESOURCE
        "maxOpenFiles": 20_000,
        "seccompDefault": True,
        "resolvConf": str(upstream),
        "clusterDNS": [ADDRESS],
        "clusterDomain": DOMAIN,
        "nodeStatusUpdateFrequency": "5s",
        # A laptop's disk is often fuller than a node's may be.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": str(folder / "volume-plugins"),
        "podLogsDir": str(folder / "pod-logs"),
    }


def in_the_box(box: Box, name: str, command: list[str | Path], health_url: str) -> Server:
    """Return a server of the box, which is ready when it says so at `health_url`."""
    return _server(box, name, box.entered(*command), health_url)


def _server(box: Box, name: str, command: list[str | Path], health_url: str) -> Server:
    return Server(
        box.processes,
        name,
        command,
        box.folder / f"{name}.log",
        env=box.environ,
        ready=lambda: _is_healthy(health_url),
        ready_seconds=READY_SECONDS,
    )


def _is_healthy(url: str) -> bool:
    try:
        # The scheduler has a certificate that it signed itself, on loopback.
        return httpx.get(url, trust_env=False, verify=False).is_success  # noqa: S501
    except httpx.TransportError:
        return False
