"""kubectl as a person uses it: apply, get, watch, wait, describe."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.screen import NotSeenError
from stack.controlplane import ControlPlane, KubectlError

POLL_SECONDS = 0.2

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a person's rights, in one namespace."""

    control_plane: ControlPlane
    namespace: str

    def run(self, *arguments: str, document: str | None = None) -> str:
        """Run kubectl and return what it printed. Raises KubectlError with its error text."""
        return self.control_plane.run_kubectl("--namespace", self.namespace, *arguments, document=document)

    def apply(self, folder: Path) -> list[str]:
        """Apply all files of a folder; return the resources as `kind/name`."""
        return self.run("apply", "--filename", str(folder), "--output=name").split()

    def get(self, resource: str) -> Resource:
        """Return a resource, named `kind/name`."""
        found: Resource = json.loads(self.run("get", resource, "--output=json"))
        return found

    def exists(self, resource: str) -> bool:
        """Tell whether a resource is there."""
        return bool(self.run("get", resource, "--ignore-not-found", "--output=name"))

    def watch(self, resource: str, *, seconds: float) -> Generator[Resource]:
        """Yield a resource as it is, and then at every change; end after that many seconds.

        The caller closes the generator (contextlib.closing), which ends kubectl.
        """
        command = [
            str(self.control_plane.kubectl),
            f"--kubeconfig={self.control_plane.kubeconfig}",
            f"--namespace={self.namespace}",
            f"--request-timeout={seconds:.0f}s",
            *("get", resource, "--watch", "--output=json"),
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                document = ""
                for line in process.stdout or ():
                    document += line
                    if line == "}\n":  # kubectl writes one indented object after the other
                        yield json.loads(document)
                        document = ""
            finally:
                process.terminate()

    def wait_until(
        self,
        what: str,
        check: Callable[[], bool],
        *about: str,
        seconds: float = 60,
        poll: float = POLL_SECONDS,
    ) -> None:
        """Return when `check` says so. Raises NotSeenError with the words for it when it does not in time."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                raise NotSeenError(f"{what}, within {seconds:.0f} s", *about)
            time.sleep(poll)

    def describe(self, resource: str) -> str:
        """Return what `kubectl describe` says of a resource, also when that is an error."""
        with contextlib.suppress(KubectlError):
            return self.run("describe", resource)
        return f"{resource} is not there"


def condition(resource: Resource, type_: str) -> Resource:
    """Return a condition of a resource; empty when it has none of this type."""
    conditions: list[Resource] = resource.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == type_), {})


def is_ready(resource: Resource) -> bool:
    """Tell whether a resource is Ready, and for its newest generation."""
    ready = condition(resource, "Ready")
    newest: int = resource["metadata"]["generation"]
    return ready.get("status") == "True" and ready.get("observedGeneration") == newest
