"""The chart's release on a node: installed with Helm, and looked at as an administrator does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from delivery.chart import CHART, NAME, NAMESPACE, Chart, RenderError, Values
from stack.node.images import OPERATOR
from stack.node.node import Node
from support.live_waiting import until

IMAGE = OPERATOR.partition(":")[0]
SELECTOR = f"--selector=app.kubernetes.io/instance={NAME}"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"

Pod = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """One release, whether it is installed or not. `home` keeps Helm's own files out of the user's."""

    node: Node
    home: Path

    @cached_property
    def chart(self) -> Chart:
        """The chart, and the Helm that installs it."""
        return Chart(self.node.stack.helm(), self.home)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the release's namespace."""
        return self.node.stack.control_plane.run_kubectl("--namespace", NAMESPACE, *arguments)

    def helm(self, *arguments: str | Path, values: Values | None = None) -> str:
        """Run Helm on the release's namespace."""
        where = ("--namespace", NAMESPACE, "--kubeconfig", self.node.stack.control_plane.kubeconfig)
        return self.chart.run(*arguments, *where, values=values)

    def install(self, values: Values | None = None) -> str:
        """Install or upgrade as docs/install.md says, into a namespace where pods are restricted."""
        control_plane = self.node.stack.control_plane
        namespace = control_plane.run_kubectl("create", "namespace", NAMESPACE, "--dry-run=client", "-o=json")
        control_plane.run_kubectl("apply", "--filename=-", document=namespace)
        control_plane.run_kubectl("label", "--overwrite", "namespace", NAMESPACE, RESTRICTED)
        ours = {"image": {"repository": IMAGE}, **(values or {})}
        try:
            return self.helm("upgrade", "--install", NAME, CHART, "--wait", "--timeout=120s", values=ours)
        except RenderError as refusal:
            pods = self.kubectl("logs", SELECTOR, "--tail=20", "--ignore-errors")
            raise AssertionError(f"{refusal}\n{pods}") from refusal

    def pods(self) -> list[Pod]:
        """Return the pods of the release that are not on their way out."""
        found: list[Pod] = json.loads(self.kubectl("get", "pods", SELECTOR, "--output=json"))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self) -> Pod:
        """Return the one pod, once it is Ready."""

        def one() -> Pod | None:
            found = [pod for pod in self.pods() if is_ready(pod)]
            return found[0] if len(found) == len(self.pods()) == 1 else None

        return until(one, seconds=60, told=self.pods)

    def log(self) -> str:
        """Return what the operator's pods have written."""
        return self.kubectl("logs", SELECTOR, "--tail=-1")

    def remove_everything(self) -> None:
        """Uninstall, and delete the CRDs and the namespace."""
        control_plane = self.node.stack.control_plane
        self.helm("uninstall", NAME, "--wait", "--ignore-not-found")
        control_plane.run_kubectl("delete", "--ignore-not-found", "--filename", str(CHART / "crds-src"))
        control_plane.run_kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod is Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: Pod) -> int:
    """Return how often the operator's container was started again."""
    count: int = pod["status"]["containerStatuses"][0]["restartCount"]
    return count
