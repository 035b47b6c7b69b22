"""The operator as a child of the stack, with the rights and the settings that its chart gives it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from stack.controlplane import ControlPlane
from stack.local import Stack
from stack.server import Server, ServerError

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
NAME: Final = "opensearch-ml-operator"
NAMESPACE: Final = "opensearch-ml"
REPOSITORY = Path(__file__).parents[1]
CHART = REPOSITORY / "deploy" / "chart"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OperatorProcess:
    """A running operator. A second start is a restarted container: same name, same address, same log."""

    server: Server
    kubeconfig: Path
    health_url: str
    metrics_url: str

    @property
    def log_file(self) -> Path:
        """What it wrote, over all its starts."""
        return self.server.log_file

    def start(self) -> None:
        """Start it again; return when it is ready. Raises ServerError when it ends or takes too long."""
        self.server.start()

    def kill(self) -> None:
        """Crash it: no time to finish anything."""
        self.server.stop(seconds=0)

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Stop it as Kubernetes does: SIGTERM, and SIGKILL after that many seconds."""
        self.server.stop(seconds=seconds)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()


@dataclass(frozen=True, slots=True)
class RenderedChart:
    """The chart as Helm renders it for one release."""

    release: str
    namespace: str
    manifests: Sequence[Manifest]

    @property
    def service_account(self) -> str:
        """Name of the account that the operator runs as."""
        name: str = self._pod["serviceAccountName"]
        return name

    def environment(self, pod_name: str) -> dict[str, str]:
        """Return the container's environment, as the kubelet would fill it in."""
        fields = {
            "metadata.name": pod_name,
            "metadata.namespace": self.namespace,
            "spec.serviceAccountName": self.service_account,
        }
        return {
            variable["name"]: fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            if "valueFrom" in variable
            else variable.get("value", "")
            for variable in self._pod["containers"][0]["env"]
        }

    def apply(self, control_plane: ControlPlane) -> None:
        """Apply everything but the Deployment (there is no node to run it), and wait for the CRDs.

        Raises KubectlError.
        """
        applied = [each for each in self.manifests if each["kind"] != "Deployment"]
        namespaces = {
            self.namespace,
            *(each["metadata"].get("namespace", self.namespace) for each in applied),
        }
        wanted = [*map(_namespace, sorted(namespaces)), *applied]
        # Several releases may share the CRDs, and one release is applied again and again.
        control_plane.run_kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
            document="\n---\n".join(map(json.dumps, wanted)),
        )
        crds = [each["metadata"]["name"] for each in applied if each["kind"] == "CustomResourceDefinition"]
        if crds:
            control_plane.run_kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", *crds)

    @property
    def _pod(self) -> Manifest:
        (deployment,) = [each for each in self.manifests if each["kind"] == "Deployment"]
        pod: Manifest = deployment["spec"]["template"]["spec"]
        return pod


def render_chart(helm: Path, release: str, namespace: str, values: Mapping[str, Any]) -> RenderedChart:
    """Render the chart. Raises ServerError with what Helm says of it."""
    command: list[str | Path] = [helm, "template", release, CHART, "--namespace", namespace, "--values", "-"]
    with tempfile.TemporaryDirectory() as home:  # keeps Helm out of the user's own files
        answer = subprocess.run(
            command, input=json.dumps(values), env={"HOME": home}, capture_output=True, text=True, check=False
        )
    if answer.returncode != 0:
        raise ServerError(f"helm does not render the chart: {answer.stderr.strip()}")
    manifests = [manifest for manifest in yaml.safe_load_all(answer.stdout) if manifest]
    return RenderedChart(release, namespace, manifests)


def start_operator(
    stack: Stack,
    *,
    namespace: str = NAMESPACE,
    release: str = NAME,
    watch: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    apply_chart: bool = True,
) -> OperatorProcess:
    """Install the chart's rights and CRDs, start the operator under them, and return when it is ready.

    `namespace` and `release` are the chart's; `watch` are the namespaces it manages, none for all; `env` is
    added to the chart's environment; `values` are further values of the chart. Without `apply_chart` the
    same release must have been applied before: a second operator beside the first, or a quick start.
    Raises ServerError and KubectlError.
    """
    control_plane = stack.control_plane
    chart = render_chart(
        stack.helm(), release, namespace, {**(values or {}), "watch": {"namespaces": list(watch)}}
    )
    if apply_chart:
        chart.apply(control_plane)
    folder = Path(tempfile.mkdtemp(prefix=f"{release}-", dir=stack.folder))
    kubeconfig = control_plane.service_account_kubeconfig(
        namespace, chart.service_account, folder / "kubeconfig"
    )
    health_port, metrics_port = stack.ports.take(), stack.ports.take()
    environment = {
        # Of the machine's own environment only this: the operator must not find the user's kubeconfig.
        "PATH": stack.environ.get("PATH", ""),
        "HOME": str(folder),
        "PYTHONPATH": str(REPOSITORY / "operator"),  # of the same checkout as the chart
        "PYTHONUNBUFFERED": "1",
        **chart.environment(pod_name=folder.name),
        "OPENSEARCH_ML_BIND_ADDRESS": "127.0.0.1",
        "OPENSEARCH_ML_HEALTH_PORT": str(health_port),
        "OPENSEARCH_ML_METRICS_PORT": str(metrics_port),
        "KUBECONFIG": str(kubeconfig),
        **(env or {}),
    }
    health_url = f"http://127.0.0.1:{health_port}"
    server = Server(
        stack.processes,
        f"operator {folder.name}",
        [sys.executable, "-m", "opensearch_ml_operator"],
        folder / "operator.log",
        env=environment,
        ready=lambda: _is_ready(health_url),
        ready_seconds=READY_SECONDS,
        cwd=folder,
    )
    server.start()
    return OperatorProcess(server, kubeconfig, health_url, f"http://127.0.0.1:{metrics_port}/metrics")


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _is_ready(health_url: str) -> bool:
    try:
        return httpx.get(f"{health_url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False
