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

SETTINGS: Values = {"quietPeriod": "10s"}
"""Nothing between the operator and OpenSearch holds a request back here."""

Pod = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """One release, whether it is installed or not. `home` keeps Helm's own files out of the user's."""

    node: Node
    home: Path
    namespace: str = NAMESPACE

    @cached_property
    def chart(self) -> Chart:
        """The chart, and the Helm that installs it."""
        return Chart(self.node.stack.helm(), self.home)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the release's namespace."""
        return self.node.stack.control_plane.run_kubectl("--namespace", self.namespace, *arguments)

    def helm(self, *arguments: str | Path, values: Values | None = None) -> str:
        """Run Helm on the release's namespace."""
        where = ("--namespace", self.namespace, "--kubeconfig", self.node.stack.control_plane.kubeconfig)
        return self.chart.run(*arguments, *where, values=values)

    def install(self, values: Values | None = None) -> str:
        """Install or upgrade as docs/install.md says, into a namespace where pods are restricted."""
        control_plane = self.node.stack.control_plane
        namespace = control_plane.run_kubectl(
            "create", "namespace", self.namespace, "--dry-run=client", "-o=json"
        )
        control_plane.run_kubectl("apply", "--filename=-", document=namespace)
        control_plane.run_kubectl("label", "--overwrite", "namespace", self.namespace, RESTRICTED)
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
            found = self.all_ready(1)
            return found[0] if found else None

        return until(one, seconds=60, told=self.pods)

    def log(self) -> str:
        """Return what the operator's pods have written."""
        return self.kubectl("logs", SELECTOR, "--tail=-1", "--ignore-errors")

    def all_ready(self, number: int) -> list[Pod] | None:
        """Return the pods when there are so many and all are Ready."""
        found = self.pods()
        return found if len(found) == number and all(map(is_ready, found)) else None

    def names(self) -> list[str]:
        """Return the names of all pods of the release, also of those on their way out."""
        return self.kubectl("get", "pods", SELECTOR, "--output=jsonpath={.items[*].metadata.name}").split()

    def started(self) -> str | None:
        """Return the name of a pod whose container has just been started."""
        states = {pod["metadata"]["name"]: pod["status"].get("containerStatuses", []) for pod in self.pods()}
        return next((name for name, each in states.items() if each and "running" in each[0]["state"]), None)

    def kill_container(self, pod: Pod) -> None:
        """Kill the operator in a pod: the kubelet starts it again."""
        container: str = pod["status"]["containerStatuses"][0]["containerID"]
        self.node.kill_container(container.removeprefix("containerd://"))

    def lease(self) -> dict[str, Any]:
        """Return what the Lease says."""
        found: dict[str, Any] = json.loads(self.kubectl("get", "lease", NAME, "--output=json"))["spec"]
        return found

    def leader(self) -> str:
        """Return the name of the pod that leads, empty without one: identities end in a mark."""
        holder: str = self.lease().get("holderIdentity", "")
        return holder.rpartition("-")[0]

    def remove_everything(self) -> None:
        """Uninstall, and delete the CRDs and the namespace."""
        control_plane = self.node.stack.control_plane
        self.helm("uninstall", NAME, "--wait", "--ignore-not-found")
        control_plane.run_kubectl("delete", "--ignore-not-found", "--filename", str(CHART / "crds-src"))
        control_plane.run_kubectl(
            "delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=60s"
        )


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod is Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def phases(release: Release) -> dict[str, str]:
    """Return what the pods are, by uid: Ready, or not yet or no longer."""
    found = json.loads(release.kubectl("get", "pods", SELECTOR, "--output=json"))["items"]
    return {pod["metadata"]["uid"]: "Ready" if is_ready(pod) else "" for pod in found}


def restarts(pod: Pod) -> int:
    """Return how often the operator's container was started again."""
    count: int = pod["status"]["containerStatuses"][0]["restartCount"]
    return count
